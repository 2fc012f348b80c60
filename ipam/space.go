package ipam

import (
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/internal/iprange"
)

// A pool is a Pool with what is in use of it.
type pool struct {
	Pool // Ranges sorted
	// place is the pool's in its order.
	order *order
	place int
	// spaces holds the space of each Family, at the family less 1.
	spaces [2]space
}

func newPool(p Pool) *pool {
	built := &pool{Pool: p}
	for i := range built.spaces {
		built.spaces[i] = space{used: newRuns(), groups: map[groupKey]*group{}}
	}
	for _, r := range p.Ranges {
		family := IPv6
		if r.Is4() {
			family = IPv4
		}
		built.space(family).append(r, p.AvoidBuggyIPs && r.Is4())
	}
	return built
}

func (p *pool) space(f Family) *space { return &p.spaces[f-1] }

// A space lays one pool's ranges of one family end to end: each address that
// may be given out has an ordinal, in the order of addresses, from 0 to size.
type space struct {
	segments []segment
	size     iprange.Count
	// used has the ordinals of all addresses that are held or rest.
	used runs
	// held and resting count addresses.
	held, resting uint64
	// groups has the addresses that may be shared.
	groups map[groupKey]*group
}

// A segment is a range within a space.
type segment struct {
	iprange.Range
	// base is the ordinal of the segment's first address.
	base iprange.Count
	// skips says that addresses that end in .0 and .255 have no ordinal.
	skips bool
}

func (s *space) append(r iprange.Range, skips bool) {
	g := segment{Range: r, base: s.size, skips: skips}
	size := r.Size()
	if skips {
		size = usable(r.Last(), true).Sub(usable(r.First(), false))
	}
	if size.IsZero() {
		return
	}
	s.segments = append(s.segments, g)
	s.size = s.size.Add(size)
}

// ordinal returns the ordinal of addr; false when it has none.
func (s *space) ordinal(addr netip.Addr) (iprange.Count, bool) {
	i, _ := slices.BinarySearchFunc(s.segments, addr, func(g segment, a netip.Addr) int {
		return g.Last().Compare(a)
	})
	if i == len(s.segments) || !s.segments[i].Contains(addr) {
		return iprange.Count{}, false
	}
	g := s.segments[i]
	if !g.skips {
		return g.base.Add(g.Offset(addr)), true
	}
	if buggy(addr) {
		return iprange.Count{}, false
	}
	return g.base.Add(usable(addr, false).Sub(usable(g.First(), false))), true
}

// address is the inverse of ordinal, which must be less than size.
func (s *space) address(ordinal iprange.Count) netip.Addr {
	i, found := slices.BinarySearchFunc(s.segments, ordinal, func(g segment, o iprange.Count) int {
		return g.base.Cmp(o)
	})
	if !found {
		i--
	}
	g := s.segments[i]
	offset := ordinal.Sub(g.base)
	if !g.skips {
		return g.At(offset)
	}
	n := usable(g.First(), false).Add(offset).Uint64()
	whole := iprange.FromPrefix(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	return whole.At(iprange.CountOf(n/usablePerBlock*block + n%usablePerBlock + 1))
}

// lowestFree returns the lowest address that is neither held nor rests.
func (s *space) lowestFree() (netip.Addr, bool) {
	o := s.used.lowestAbsent()
	if !o.Less(s.size) {
		return netip.Addr{}, false
	}
	return s.address(o), true
}

func (s *space) usage() Usage {
	held := iprange.CountOf(s.held)
	return Usage{
		Total:     s.size,
		Assigned:  held,
		Available: s.size.Sub(held).Sub(iprange.CountOf(s.resting)),
	}
}

// Of every block of 256 IPv4 addresses, 254 end in neither .0 nor .255.
const (
	block          = 256
	usablePerBlock = block - 2
)

// usable counts the IPv4 addresses below a, and a itself if including, that
// end in neither .0 nor .255.
func usable(a netip.Addr, including bool) iprange.Count {
	b := a.As4()
	blocks := uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	in := min(max(uint64(b[3]), 1)-1, usablePerBlock)
	if including && !buggy(a) {
		in++
	}
	return iprange.CountOf(blocks*usablePerBlock + in)
}

// buggy reports whether an IPv4 address ends in .0 or .255, which old
// equipment takes for the address of a network or a broadcast.
func buggy(a netip.Addr) bool {
	b := a.As4()
	return b[3] == 0 || b[3] == block-1
}
