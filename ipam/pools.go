package ipam

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

// located is a range and the pool it belongs to.
type located struct {
	iprange.Range
	pool *pool
}

// A location is where an address is: an ordinal of a pool.
type location struct {
	pool    *pool
	ordinal iprange.Count
}

// locate finds the pool that gives addr out; an error wraps ErrNotInPool.
func (a *Allocator) locate(addr netip.Addr) (location, error) {
	i, _ := slices.BinarySearchFunc(a.index, addr, func(l located, addr netip.Addr) int {
		return l.Last().Compare(addr)
	})
	if i == len(a.index) || !a.index[i].Contains(addr) {
		return location{}, ErrNotInPool
	}
	p := a.index[i].pool
	ordinal, ok := p.space(FamilyOf(addr)).ordinal(addr)
	if !ok {
		return location{}, fmt.Errorf("pool %q leaves out addresses that end in .0 and .255: %w", p.Name, ErrNotInPool)
	}
	return location{p, ordinal}, nil
}

// SetPools replaces all pools; in which order they are given does not matter. Every owner keeps
// every address: those that are in no pool any longer become orphans, and
// return to a pool when one has them again. On an error, which names what is
// wrong with pools, nothing has changed.
//
// The cost is that of comparing the pools, and n log n in the orphans and the
// addresses in use in pools that have changed.
func (a *Allocator) SetPools(pools []Pool, now time.Time) error {
	a.expire(now)
	built := make(map[string]*pool, len(pools))
	var index []located
	for _, p := range pools {
		if built[p.Name] != nil {
			return fmt.Errorf("pool %q: given twice", p.Name)
		}
		b := a.reuse(p)
		built[p.Name] = b
		for _, r := range b.Ranges {
			index = append(index, located{r, b})
		}
	}
	if err := checkRanges(index); err != nil {
		return err
	}
	moved := a.displaced(built)
	for _, p := range pools { // of a pool that is kept as it is
		built[p.Name].Cooldown, built[p.Name].Rank = p.Cooldown, p.Rank
	}
	a.pools, a.index, a.order = built, index, newOrder(built)
	for _, e := range moved {
		a.resettle(e)
	}
	a.reorder()
	a.expire(now)
	return nil
}

// reuse returns what there is of p if its addresses are still the same, or
// else a new pool with nothing in use.
func (a *Allocator) reuse(p Pool) *pool {
	p.Ranges = slices.SortedFunc(slices.Values(p.Ranges), iprange.Range.Compare)
	old := a.pools[p.Name]
	if old != nil && old.AvoidBuggyIPs == p.AvoidBuggyIPs && slices.Equal(old.Ranges, p.Ranges) {
		return old
	}
	return newPool(p)
}

// checkRanges sorts index and says what is wrong with it.
func checkRanges(index []located) error {
	slices.SortFunc(index, func(a, b located) int {
		return cmp.Or(a.Compare(b.Range), strings.Compare(a.pool.Name, b.pool.Name))
	})
	for i, l := range index {
		if !l.IsValid() {
			return fmt.Errorf("pool %q: range without addresses", l.pool.Name)
		}
		if i > 0 && index[i-1].Overlaps(l.Range) {
			return fmt.Errorf("pool %q: range %v overlaps range %v of pool %q",
				l.pool.Name, l.Range, index[i-1].Range, index[i-1].pool.Name)
		}
	}
	return nil
}

// displaced returns the entries whose pool is not in next, cut loose from it,
// and the orphans. They come in no particular order.
func (a *Allocator) displaced(next map[string]*pool) []*entry {
	var moved []*entry
	for _, e := range a.orphans {
		moved = append(moved, e)
	}
	for name, p := range a.pools {
		if next[name] == p {
			continue
		}
		for i := range p.spaces {
			moved = append(moved, a.inUse(&p.spaces[i])...)
		}
	}
	for _, e := range moved {
		e.leaveGroup()
		e.pool, e.ordinal = nil, iprange.Count{}
	}
	clear(a.orphans)
	return moved
}

// inUse returns the entries of a space.
func (a *Allocator) inUse(s *space) []*entry {
	var used []*entry
	s.used.each(func(first, last iprange.Count) {
		for o := first; !last.Less(o); o = o.Add(one) {
			used = append(used, a.entries[s.address(o)])
		}
	})
	return used
}

// resettle puts an entry that displaced has cut loose where it belongs now.
// One that rests and is in no pool any longer is forgotten.
func (a *Allocator) resettle(e *entry) {
	a.settle(e)
	switch {
	case len(e.owners) > 0:
		e.joinGroup()
	case e.pool == nil:
		a.resting.Take(e)
		delete(a.orphans, e.addr)
		delete(a.entries, e.addr)
	default:
		e.space().held--
		e.space().resting++
	}
}

// reorder counts every rest by the cooldown that its pool has now.
func (a *Allocator) reorder() {
	for e := range a.resting.All() {
		e.rested = e.released.Add(e.pool.Cooldown)
	}
	a.resting.Reorder()
}
