package watch

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

const (
	// sightingAfter is how long a takeover may last: a fellow speaker claims an
	// address a moment before this node lets it go, and still may a moment
	// after this node has taken it over. So an address must still be ours that
	// long after the claim, and a claim within that time of our own takeover
	// must be seen again.
	sightingAfter = 3 * time.Second
	// sightingFor is how long a conflict is shown after it was last seen.
	sightingFor = 5 * time.Minute
	// maxSightings bounds what is remembered of stations that make trouble.
	maxSightings = 100
)

// sightings are the conflicts seen of late, by address and station. They are
// pure: time comes from outside. The zero value is empty and ready to use.
type sightings struct {
	seen map[sighting]*span
}

// A sighting is what makes two conflicts the same one.
type sighting struct {
	address netip.Addr
	mac     string
}

// A span is a conflict that was seen at first, and as it was seen last.
type span struct {
	first time.Time
	last  Conflict
	// doubtful says that it may have been but the end of a takeover.
	doubtful bool
}

// add takes note of a conflict about an address that is ours since then.
func (s *sightings) add(c Conflict, since time.Time) {
	if s.seen == nil {
		s.seen = map[sighting]*span{}
	}
	key := sighting{c.Address, c.MAC}
	switch known := s.seen[key]; {
	case known != nil:
		known.last = c
		known.doubtful = known.doubtful && c.At.Sub(known.first) < sightingAfter
	case len(s.seen) < maxSightings:
		s.seen[key] = &span{first: c.At, last: c, doubtful: c.At.Sub(since) < sightingAfter}
	}
}

// current returns the conflicts to show about announced addresses, sorted, and
// forgets those about others and those that were seen too long before now. It
// says when the next of them comes or goes by itself; zero for never.
func (s *sightings) current(now time.Time, announced []desired.Layer2Address) (out []Conflict, next time.Time) {
	for key, c := range s.seen {
		begin, end := c.first.Add(sightingAfter), c.last.At.Add(sightingFor)
		if !now.Before(end) || !announces(announced, key.address) {
			delete(s.seen, key)
			continue
		}
		change := end
		switch {
		case c.doubtful:
		case now.Before(begin):
			change = begin
		default:
			out = append(out, c.last)
		}
		if next.IsZero() || change.Before(next) {
			next = change
		}
	}
	slices.SortFunc(out, func(a, b Conflict) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.MAC, b.MAC))
	})
	return out, next
}

// announces reports whether an address is in a sorted list.
func announces(list []desired.Layer2Address, addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(list, addr, compareAddress)
	return found
}
