package ipam

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/heraldlb/herald/internal/iprange"
)

// check says which invariant of an Allocator does not hold.
func (a *Allocator) check() error {
	for addr, e := range a.entries {
		if err := a.checkEntry(addr, e); err != nil {
			return fmt.Errorf("entry %v: %w", addr, err)
		}
	}
	for name, h := range a.holders {
		if h.name != name || len(h.entries) == 0 {
			return fmt.Errorf("holder %q: %+v", name, h)
		}
		for _, e := range h.entries {
			if a.entries[e.addr] != e || !slices.Contains(e.owners, h) {
				return fmt.Errorf("holder %q is no owner of %v", name, e.addr)
			}
		}
	}
	for e := range a.resting.All() {
		if !e.rests() || a.entries[e.addr] != e || len(e.owners) > 0 {
			return fmt.Errorf("%v rests wrongly", e.addr)
		}
	}
	if err := a.order.check(a.pools); err != nil {
		return fmt.Errorf("order: %w", err)
	}
	for name, p := range a.pools {
		for i := range p.spaces {
			if err := a.checkSpace(p, Family(i+1)); err != nil {
				return fmt.Errorf("pool %q: %v: %w", name, Family(i+1), err)
			}
		}
	}
	return nil
}

// check compares what an order knows with one that is made anew.
func (o *order) check(pools map[string]*pool) error {
	fresh := map[string]*pool{}
	for name, p := range pools {
		fresh[name] = &pool{Pool: p.Pool, spaces: p.spaces}
	}
	names := func(all []*pool) []string {
		var out []string
		for _, p := range all {
			out = append(out, p.Name)
		}
		return out
	}
	want := newOrder(fresh)
	if got, want := names(o.pools), names(want.pools); !slices.Equal(got, want) {
		return fmt.Errorf("pools %v, want %v", got, want)
	}
	for i := range o.open {
		if !slices.Equal(o.open[i], want.open[i]) {
			return fmt.Errorf("open for %v: %b, want %b", Family(i+1), o.open[i], want.open[i])
		}
	}
	if len(o.sharers) != len(want.sharers) {
		return fmt.Errorf("%d keys, want %d", len(o.sharers), len(want.sharers))
	}
	for key, all := range want.sharers {
		if got, want := names(o.sharers[key]), names(all); !slices.Equal(got, want) {
			return fmt.Errorf("pools of %v: %v, want %v", key, got, want)
		}
	}
	for i, p := range o.pools {
		if p.order != o || p.place != i || pools[p.Name] != p {
			return fmt.Errorf("pool %q is at %d, not at %d", p.Name, p.place, i)
		}
	}
	return nil
}

func (a *Allocator) checkEntry(addr netip.Addr, e *entry) error {
	place, err := a.locate(addr)
	switch {
	case e.addr != addr || e.pool != place.pool || e.ordinal != place.ordinal:
		return fmt.Errorf("is at %+v", e)
	case (err != nil) != (a.orphans[addr] == e):
		return fmt.Errorf("orphan: %v", err == nil)
	case e.rests() == (len(e.owners) > 0):
		return fmt.Errorf("rests: %v, with %d owners", e.rests(), len(e.owners))
	case len(e.ports) != len(e.users):
		return fmt.Errorf("%d ports of %d users", len(e.ports), len(e.users))
	}
	for i, h := range e.owners {
		if i > 0 && e.owners[i-1].name >= h.name {
			return fmt.Errorf("owners out of order")
		}
		if a.holders[h.name] != h || !slices.Contains(h.entries, e) {
			return fmt.Errorf("owner %q does not hold it", h.name)
		}
		if conflict := e.conflict(h.name, h.sharing); conflict != nil {
			return conflict
		}
	}
	for i, p := range e.ports {
		if !slices.Contains(e.users[i].sharing.Ports, p) || (i > 0 && comparePorts(e.ports[i-1], p) >= 0) {
			return fmt.Errorf("port %v of %q", p, e.users[i].name)
		}
	}
	return nil
}

func (a *Allocator) checkSpace(p *pool, f Family) error {
	s := p.space(f)
	if err := checkNode(s.used.tree.root); err != nil {
		return err
	}
	var held, resting uint64
	for _, e := range a.inUse(s) {
		switch {
		case e == nil || e.pool != p:
			return fmt.Errorf("ordinal in use for %+v", e)
		case len(e.owners) > 0:
			held++
		default:
			resting++
		}
	}
	if held != s.held || resting != s.resting {
		return fmt.Errorf("counts %d held, %d resting; found %d, %d", s.held, s.resting, held, resting)
	}
	members := 0
	for key, g := range s.groups {
		if err := checkGroup(g, key); err != nil {
			return err
		}
		g.tree.root.each(func(*node[netip.Addr, member]) { members++ })
	}
	for _, e := range a.inUse(s) {
		if len(e.owners) > 0 && e.owners[0].sharing.Key != "" {
			members--
		}
	}
	if members != 0 {
		return fmt.Errorf("%d more members of groups than shared addresses", members)
	}
	return nil
}

func checkGroup(g *group, key groupKey) error {
	if g.tree.root == nil {
		return fmt.Errorf("group %v is empty", key)
	}
	var err error
	g.tree.root.each(func(n *node[netip.Addr, member]) {
		want := n.value.ports
		for _, c := range []*node[netip.Addr, member]{n.left, n.right} {
			if c != nil {
				want = common(want, c.value.taken)
			}
		}
		if n.value.addr != n.key || n.value.owners[0].sharing.group() != key || !slices.Equal(want, n.value.taken) {
			err = fmt.Errorf("group %v: member %v takes %v, want %v", key, n.key, n.value.taken, want)
		}
	})
	if err != nil {
		return err
	}
	return checkNode(g.tree.root)
}

// universe has all addresses of a family that a random pool may have: IPv4
// around the end of a /24, so that .255 and .0 are in the middle.
func universe(f Family) []netip.Addr {
	first, n := netip.MustParseAddr("10.0.0.249"), 14
	if f == IPv6 {
		first, n = netip.MustParseAddr("2001:db8::fff8"), 14
	}
	addrs := make([]netip.Addr, n)
	for i := range addrs {
		addrs[i], first = first, first.Next()
	}
	return addrs
}

// somePoolRanges cuts both universes into ranges, of which it leaves some out.
func somePoolRanges(t *testing.T, random *rand.Rand) []iprange.Range {
	t.Helper()
	var ranges []iprange.Range
	for _, f := range []Family{IPv4, IPv6} {
		addrs := universe(f)
		for len(addrs) > 0 {
			n := 1 + random.IntN(min(7, len(addrs)))
			r, err := iprange.New(addrs[0], addrs[n-1])
			if err != nil {
				t.Fatal(err)
			}
			if random.IntN(4) > 0 {
				ranges = append(ranges, r)
			}
			addrs = addrs[n:]
		}
	}
	return ranges
}
