package ipam

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// An order has all pools in the order in which they are tried, and knows which
// of them can serve at all, so that a request need not look at a thousand full
// ones.
type order struct {
	// pools are sorted by rank, and then by name; each knows its place.
	pools []*pool
	// open has, for each Family, at the family less 1, the places of the pools
	// with a free address.
	open [2]places
	// sharers has the pools with a group of a key, in their order.
	sharers map[sharersKey][]*pool
}

// A sharersKey names the groups of one key in all pools.
type sharersKey struct {
	family Family
	group  groupKey
}

// newOrder puts pools in order, and notes what they can serve.
func newOrder(pools map[string]*pool) *order {
	o := &order{sharers: map[sharersKey][]*pool{}}
	for _, p := range pools {
		o.pools = append(o.pools, p)
	}
	slices.SortFunc(o.pools, func(p, q *pool) int {
		return cmp.Or(cmp.Compare(p.Rank, q.Rank), strings.Compare(p.Name, q.Name))
	})
	for i := range o.open {
		o.open[i] = make(places, (len(o.pools)+wordSize-1)/wordSize)
	}
	for i, p := range o.pools {
		p.order, p.place = o, i
		for f := IPv4; f <= IPv6; f++ {
			o.noteRoom(p, f)
			for key := range p.space(f).groups {
				o.addSharer(p, f, key)
			}
		}
	}
	return o
}

// noteRoom notes whether a pool has a free address.
func (o *order) noteRoom(p *pool, f Family) {
	s := p.space(f)
	o.open[f-1].set(p.place, s.used.lowestAbsent().Less(s.size))
}

// addSharer notes that a pool has a group; that it has it already is no harm.
func (o *order) addSharer(p *pool, f Family, key groupKey) {
	k := sharersKey{f, key}
	if i, found := slices.BinarySearchFunc(o.sharers[k], p.place, comparePlace); !found {
		o.sharers[k] = slices.Insert(o.sharers[k], i, p)
	}
}

// removeSharer notes that a pool has a group no longer.
func (o *order) removeSharer(p *pool, f Family, key groupKey) {
	k := sharersKey{f, key}
	i, found := slices.BinarySearchFunc(o.sharers[k], p.place, comparePlace)
	if !found {
		panic("ipam: group removed twice")
	}
	if o.sharers[k] = slices.Delete(o.sharers[k], i, i+1); len(o.sharers[k]) == 0 {
		delete(o.sharers, k)
	}
}

func comparePlace(p *pool, place int) int { return cmp.Compare(p.place, place) }

// next returns the first pool, from a place on, that may have an address of a
// family for an owner that shares like this; nil when there is none.
func (o *order) next(f Family, s Sharing, from int) *pool {
	at := o.open[f-1].next(from)
	if s.Key != "" {
		all := o.sharers[sharersKey{f, s.group()}]
		if i, _ := slices.BinarySearchFunc(all, from, comparePlace); i < len(all) && (at < 0 || all[i].place < at) {
			return all[i]
		}
	}
	if at < 0 {
		return nil
	}
	return o.pools[at]
}

// after returns the place of the first pool of a rank later than p's.
func (o *order) after(p *pool) int {
	i, _ := slices.BinarySearchFunc(o.pools, p.Rank, func(q *pool, rank int) int {
		if q.Rank <= rank {
			return -1
		}
		return 1
	})
	return i
}

// places is a set of places in an order, a bit each.
type places []uint64

const wordSize = 64

// set puts a place in or takes it out.
func (p places) set(place int, in bool) {
	if in {
		p[place/wordSize] |= 1 << (place % wordSize)
	} else {
		p[place/wordSize] &^= 1 << (place % wordSize)
	}
}

// next returns the first place in the set from one on, or -1.
func (p places) next(from int) int {
	for w := from / wordSize; w < len(p); w++ {
		word := p[w]
		if w == from/wordSize {
			word &= ^uint64(0) << (from % wordSize)
		}
		if word != 0 {
			return w*wordSize + bits.TrailingZeros64(word)
		}
	}
	return -1
}
