package watch

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/speaker/desired"
)

// maxNetworks bounds the links whose networks are remembered, and so what a
// host costs on which links come and go for ever.
const maxNetworks = 16

// networks remembers which networks the links of this host have led to.
//
// An address is announced on the links in its network alone, and not on others
// while those are down. But a link that is set down may lose its addresses with
// that (IPv6 does so, unless keep_addr_on_down says otherwise), as does one whose
// lease ends, and a card that is pulled is gone altogether: nothing would show
// any more that the host is cut off from that network, and it would announce the
// network's addresses on every other link. So a link that is in no network of a
// family any more counts as down in those that it was in, until it is in one
// again. What the speaker has not seen itself it cannot remember.
//
// networks is pure. Its zero value remembers nothing and is ready to use.
type networks struct {
	of map[foothold]desired.Link
}

// A foothold is a link and a family.
type foothold struct {
	name string
	four bool
}

// pass returns the links, and those that were in networks besides, as down.
func (n *networks) pass(links []desired.Link) []desired.Link {
	if n.of == nil {
		n.of = map[foothold]desired.Link{}
	}
	here, names := map[foothold]bool{}, map[string]bool{}
	for _, l := range links {
		names[l.Name] = true
		for _, p := range l.Prefixes {
			if p.IsSingleIP() || p.Addr().IsLinkLocalUnicast() {
				continue // no network that others are in
			}
			f := foothold{l.Name, p.Addr().Is4()}
			was := n.of[f]
			if !here[f] {
				was = desired.Link{Name: l.Name, MAC: l.MAC}
			}
			was.Prefixes = append(was.Prefixes, p)
			n.of[f], here[f] = was, true
		}
	}
	if len(n.of) > maxNetworks {
		for f := range n.of {
			if !names[f.name] {
				delete(n.of, f)
			}
		}
	}
	out := links
	for f, l := range n.of {
		if !here[f] {
			out = append(out[:len(out):len(out)], l)
		}
	}
	slices.SortStableFunc(out[len(links):], compareLinks)
	return out
}

// compareLinks orders links by name, IPv4 first.
func compareLinks(a, b desired.Link) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return slices.CompareFunc(a.Prefixes, b.Prefixes, netip.Prefix.Compare)
}
