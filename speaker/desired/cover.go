package desired

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/config"
)

// A cover is the set of advertisements that cover an address for a Service,
// with what follows from them for every Service that has the same set.
type cover struct {
	// nodes are those that may announce if they have a link for the address,
	// which linkage tells. Both are nil in a cover without an advertisement.
	nodes   bitset
	linkage *linkage
	// weights by place of the node: the best that an advertisement in the cover
	// which selects the node gives it.
	weights []int64
	// failback is true when an advertisement in the cover asks for it.
	failback bool
	// preferences is a number for what the advertisements prefer, see
	// address.preferences.
	preferences uint64
	// own says why this node may not announce; zero when it may as far as the
	// view tells.
	own Reason
	// links are this node's that the advertisements allow, up or not, sorted by
	// name.
	links []Link
}

// The covers without an advertisement.
var (
	coverNoPool          = &cover{own: NoPool}
	coverNoAdvertisement = &cover{own: NoAdvertisement}
)

// cover returns what covers an address for a Service with these labels. An
// address that no pool has, because its pool was deleted or shrunk, stays
// announced by the advertisements of all pools until the controller takes it
// from its Service.
func (v *view) cover(addr netip.Addr, labels config.Labels) *cover {
	ads, none := v.ofAllPools, coverNoPool
	if pool := v.config.HomeOf(addr); pool != nil {
		ads, none = v.byPool[pool.Name], coverNoAdvertisement
	}
	v.key = v.key[:0]
	for _, i := range ads {
		if selectsService(&v.config.L2Advertisements[i], labels) {
			v.key = append(v.key, byte(i), byte(i>>8), byte(i>>16), byte(i>>24))
		}
	}
	if len(v.key) == 0 {
		return none
	}
	c, ok := v.covers[string(v.key)]
	if !ok {
		c = v.newCover(v.key)
		v.covers[string(v.key)] = c
	}
	return c
}

// newCover returns the cover of the advertisements that a key of covers names.
func (v *view) newCover(key []byte) *cover {
	c := &cover{nodes: newBitset(len(v.nodes)), weights: make([]int64, len(v.nodes))}
	var reaches []*reach
	var own []*config.L2Advertisement // those that select this node
	for ; len(key) > 0; key = key[4:] {
		i := int(key[0]) | int(key[1])<<8 | int(key[2])<<16 | int(key[3])<<24
		r, ad := &v.reaches[i], &v.config.L2Advertisements[i]
		reaches = append(reaches, r)
		for n := range r.nodes.all {
			if !c.nodes.has(n) || r.weights[n] > c.weights[n] {
				c.weights[n] = r.weights[n]
			}
			c.nodes.add(n)
		}
		if v.self >= 0 && r.nodes.has(v.self) {
			own = append(own, ad)
		}
		c.failback = c.failback || ad.Failback
		c.preferences += r.preferences
	}
	c.nodes.keep(v.able)
	c.linkage = v.newLinkage(c.nodes, reaches)
	up := false
	for _, l := range v.links {
		if slices.ContainsFunc(own, func(ad *config.L2Advertisement) bool { return allowsLink(ad, l.Name) }) {
			c.links = append(c.links, l)
			up = up || l.Up
		}
	}
	slices.SortFunc(c.links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	c.own = v.ownReason(len(own) > 0, up)
	return c
}

// newLinkage returns the links of some nodes that advertisements allow.
func (v *view) newLinkage(nodes bitset, reaches []*reach) *linkage {
	k := &linkage{
		unknown: v.linkMap.unknown, up: newBitset(len(v.nodes)),
		within:   make([]bitset, len(v.linkMap.networks)),
		upWithin: make([]bitset, len(v.linkMap.networks)),
	}
	for n := range nodes.all {
		for i := range v.linkMap.nodes[n] {
			l := &v.linkMap.nodes[n][i]
			if slices.ContainsFunc(reaches, func(r *reach) bool { return r.nodes.has(n) && r.links.has(l.name) }) {
				k.add(n, l, len(v.nodes))
			}
		}
	}
	return k
}

// ownReason returns the first reason of the view why this node may not
// announce, given whether an advertisement selects it and a link matches.
func (v *view) ownReason(selected, linked bool) Reason {
	switch {
	case v.self < 0:
		return NodeUnknown
	case !selected:
		return NodeNotSelected
	case v.nodes[v.self].Unavailable != 0:
		return v.nodes[v.self].Unavailable
	case !v.alive[v.node]:
		return SpeakerNotAlive
	case !linked:
		return NoInterface
	default:
		return 0
	}
}

// linksFor returns the names of the links of a cover to answer for an address
// on: of those whose network the address is in, or of all when it is in none,
// the ones that are up. A node whose link to the address's own network is down
// does not answer on another one. A prefix of a single address is no network;
// such prefixes put service addresses on a node's dummy links.
func (c *cover) linksFor(addr netip.Addr) []string {
	var on, all []string
	within := false
	for _, l := range c.links {
		local := slices.ContainsFunc(l.Prefixes, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(addr) })
		within = within || local
		switch {
		case !l.Up:
		case local:
			on = append(on, l.Name)
		default:
			all = append(all, l.Name)
		}
	}
	if within {
		return on
	}
	return all
}
