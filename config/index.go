package config

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/heraldlb/herald/internal/iprange"
)

// An index finds pools by address and by name.
type index struct {
	ranges []indexed // sorted, disjoint
	byName map[string]int
}

// An indexed range belongs to the pool at a place in Config.Pools.
type indexed struct {
	iprange.Range
	pool int
}

// newIndex makes the index of pools, whose ranges are disjoint.
func newIndex(pools []Pool) *index {
	x := &index{byName: make(map[string]int, len(pools))}
	for i := range pools {
		x.byName[pools[i].Name] = i
		for _, r := range pools[i].Ranges {
			x.ranges = append(x.ranges, indexed{r, i})
		}
	}
	slices.SortFunc(x.ranges, func(a, b indexed) int { return a.First().Compare(b.First()) })
	return x
}

// HomeOf returns the pool that addr came from: the one that gives it out, or
// else a retired one that has it, or nil.
func (c *Config) HomeOf(addr netip.Addr) *Pool {
	if p := c.PoolOf(addr); p != nil {
		return p
	}
	x := c.retired
	if x == nil { // a Config that Parse did not make
		x = newIndex(c.Retired)
	}
	if i, ok := x.find(addr); ok {
		return &c.Retired[i]
	}
	return nil
}

// PoolOf returns the pool that gives addr out, or nil. It does not look at
// AvoidBuggyIPs: such an address is in the pool, though never given out.
func (c *Config) PoolOf(addr netip.Addr) *Pool {
	x := c.index
	if x == nil { // a Config that Parse did not make
		x = newIndex(c.Pools)
	}
	if i, ok := x.find(addr); ok {
		return &c.Pools[i]
	}
	return nil
}

// find returns the place of the pool that has addr.
func (x *index) find(addr netip.Addr) (int, bool) {
	i := sort.Search(len(x.ranges), func(i int) bool { return x.ranges[i].Last().Compare(addr) >= 0 })
	if i == len(x.ranges) || !x.ranges[i].Contains(addr) {
		return 0, false
	}
	return x.ranges[i].pool, true
}

// Pool returns the accepted pool of that name, or nil.
func (c *Config) Pool(name string) *Pool {
	if c.index != nil {
		if i, ok := c.index.byName[name]; ok {
			return &c.Pools[i]
		}
		return nil
	}
	if i := slices.IndexFunc(c.Pools, func(p Pool) bool { return p.Name == name }); i >= 0 {
		return &c.Pools[i]
	}
	return nil
}

// Allows reports whether the pool may serve a Service by its Scope. AutoAssign
// is not looked at.
func (p *Pool) Allows(s Subject) bool { return p.Scope.matches(s) }

// Pinned reports whether the pool is tied to some Services by its Scope.
func (p *Pool) Pinned() bool {
	return len(p.Scope.Namespaces) > 0 || len(p.Scope.NamespaceSelectors) > 0 || len(p.Scope.ServiceSelectors) > 0
}

// matches reports whether each list that is not empty has a match.
func (s Scope) matches(subject Subject) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, subject.Namespace)) &&
		matchesAny(s.NamespaceSelectors, subject.NamespaceLabels) &&
		matchesAny(s.ServiceSelectors, subject.Labels)
}
