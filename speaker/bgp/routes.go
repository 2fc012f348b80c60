package bgp

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// A wish is what one peer should hear of a prefix; nil attributes: nothing.
type wish struct {
	prefix     netip.Prefix
	attributes *desired.Attributes
}

// changes returns what differs between two lists of routes, by peer. Both are
// sorted by prefix. It is one walk over both, which is cheap where they share
// memory, so it serves one change among many thousand routes.
func changes(have, want []desired.Route) map[string][]wish {
	out := map[string][]wish{}
	if len(have) == len(want) && (len(want) == 0 || &have[0] == &want[0]) {
		return out
	}
	for len(have) > 0 || len(want) > 0 {
		if len(have) > 0 && len(want) > 0 && sameRoute(&have[0], &want[0]) {
			// What follows of the prefix differs in peers, so it stands for itself.
			have, want = have[1:], want[1:]
			continue
		}
		p := lower(have, want)
		h, w := leading(have, p), leading(want, p)
		differ(out, have[:h], want[:w])
		have, want = have[h:], want[w:]
	}
	return out
}

// lower returns the lower prefix of those that two lists begin with.
func lower(have, want []desired.Route) netip.Prefix {
	switch {
	case len(have) == 0:
		return want[0].Prefix
	case len(want) == 0 || have[0].Prefix.Compare(want[0].Prefix) < 0:
		return have[0].Prefix
	default:
		return want[0].Prefix
	}
}

// leading returns how many routes at the beginning have a prefix.
func leading(routes []desired.Route, p netip.Prefix) int {
	n := 0
	for n < len(routes) && routes[n].Prefix == p {
		n++
	}
	return n
}

// differ adds what differs between the routes of one prefix.
func differ(out map[string][]wish, have, want []desired.Route) {
	for i := range want {
		w := &want[i]
		for _, peer := range w.Peers {
			if h := routeFor(have, peer); h == nil || !h.Attributes.Equal(w.Attributes) {
				out[peer] = append(out[peer], wish{w.Prefix, &w.Attributes})
			}
		}
	}
	for i := range have {
		for _, peer := range have[i].Peers {
			if routeFor(want, peer) == nil {
				out[peer] = append(out[peer], wish{prefix: have[i].Prefix})
			}
		}
	}
}

// routeFor returns the route of one prefix that a peer gets, nil if it gets none.
func routeFor(routes []desired.Route, peer string) *desired.Route {
	for i := range routes {
		if slices.Contains(routes[i].Peers, peer) {
			return &routes[i]
		}
	}
	return nil
}

// sameRoute reports whether routers hear the same of both.
func sameRoute(a, b *desired.Route) bool {
	return a.Prefix == b.Prefix && sameNames(a.Peers, b.Peers) && a.Attributes.Equal(b.Attributes)
}

func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b)
}

// wishes returns all that a peer should hear.
func wishes(routes []desired.Route, peer string) []wish {
	var out []wish
	for i := range routes {
		if r := &routes[i]; slices.Contains(r.Peers, peer) {
			out = append(out, wish{r.Prefix, &r.Attributes})
		}
	}
	return out
}

// A manner is all of a path but its prefix. Thousands of paths share one, which
// is never written.
type manner struct {
	nextHop    netip.Addr
	attributes desired.Attributes
}

// mannerOf returns the manner of a path.
func (p *peer) mannerOf(path Path) *manner {
	if !p.manner.isOf(path) {
		p.manner = &manner{path.NextHop, path.Attributes}
	}
	return p.manner
}

// isOf reports whether a manner, nil for none, is that of a path.
func (m *manner) isOf(p Path) bool {
	return m != nil && m.nextHop == p.NextHop && m.attributes.Equal(p.Attributes)
}

// path returns the path of a manner.
func (m *manner) path(prefix netip.Prefix) Path {
	return Path{Prefix: prefix, NextHop: m.nextHop, Attributes: m.attributes}
}

// gracefulShutdown is GRACEFUL_SHUTDOWN (RFC 8326 section 3).
var gracefulShutdown = config.Community{Global: 65535}

// leaving returns a path as it is announced before it is withdrawn: the router
// should take any other one (RFC 8326 section 4.2).
func (p Path) leaving() Path {
	least := uint32(0)
	p.Attributes.LocalPref = &least
	if !slices.Contains(p.Attributes.Communities, gracefulShutdown) {
		p.Attributes.Communities = append(slices.Clone(p.Attributes.Communities), gracefulShutdown)
		slices.SortFunc(p.Attributes.Communities, compareCommunities)
	}
	return p
}

// compareCommunities orders as desired.Attributes has them: standard ones first.
func compareCommunities(a, b config.Community) int {
	if a.Large != b.Large {
		if b.Large {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Global, b.Global), cmp.Compare(a.Local1, b.Local1), cmp.Compare(a.Local2, b.Local2))
}
