package assign

import (
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/ipam"
)

// Grace is how long a Service keeps an address that no accepted pool has any
// longer, so that a pool which is deleted and created again, or moved between
// two objects, changes nobody's address. While a pool that the address came
// from exists but is not accepted, the time does not end.
const Grace = 30 * time.Second

// Doubt is how long after a start an address that no accepted pool has, and of
// which nobody knows where it came from, is kept for the sake of any pool that
// is not accepted: time enough for somebody to mend it.
const Doubt = time.Hour

// An outcome is what became of a request.
type outcome struct {
	// addresses are what the status must show, in the order of the families.
	addresses []netip.Addr
	reason    Reason
	message   string
	// cause says why an address that was held is not any longer; it is for the
	// event alone, and not part of the state.
	cause string
}

// same reports whether two outcomes are the same state.
func (o outcome) same(p outcome) bool {
	return o.reason == p.reason && o.message == p.message && slices.Equal(o.addresses, p.addresses)
}

// An entry is what a book knows about one Service.
type entry struct {
	*request
	outcome outcome
	// homes has the pool of each address held, as it was last known.
	homes map[netip.Addr]string
	// claimed is the sharing that the addresses are held under.
	claimed ipam.Sharing
	// orphaned has since when each address held is in no pool, of those that
	// are in none; zero when its Grace is over.
	orphaned map[netip.Addr]time.Time
	// leaving has the addresses that the status still shows, but the Service
	// lost, while they are kept from others under the names of leavingOwner. Each
	// is kept under the sharing that it was lost under.
	leaving map[netip.Addr]ipam.Sharing
	// confirmed is true once the cache has shown the Service, so that its
	// absence from the cache means that it is gone.
	confirmed bool
	contest   contest
}

// newEntry returns an entry that holds nothing.
func newEntry(r *request) *entry {
	return &entry{request: r, homes: map[netip.Addr]string{}, orphaned: map[netip.Addr]time.Time{}}
}

// graceEnds returns when the next Grace of an address held ends; zero when
// none is running.
func (e *entry) graceEnds() time.Time {
	var first time.Time
	for _, since := range e.orphaned {
		if end := since.Add(Grace); !since.IsZero() && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first
}
