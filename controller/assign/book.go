package assign

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/ipam"
)

// A book decides which Service gets which addresses. It is pure: it knows no
// client and no clock, the same history gives the same answers, and it is not
// safe for use by several goroutines at once.
//
// Invariant: an address in some Service's status, as far as the book was told,
// is claimed in alloc, so nobody else gets it before the status is rewritten.
// Where two statuses show one address that may not be shared, it is claimed by
// only one of the two.
type book struct {
	alloc *ipam.Allocator
	// pools are those of the configuration, in the order in which they are
	// tried: by priority, pinned ones before others, by name.
	pools  []*config.Pool
	byName map[string]*config.Pool
	// rejected are the names of pools that exist, but are not accepted.
	rejected   map[string]bool
	namespaces map[string]config.Labels
	entries    map[string]*entry
	// waiting are the entries whose wish is not fulfilled, or only in part.
	waiting map[string]*entry
	// orphans are the entries whose Grace is running.
	orphans map[string]*entry
	// changed has the keys whose outcome changed since they were last asked for.
	changed map[string]bool
	// freed is true when something happened that may help those that wait.
	freed bool
	// rested is when the first address will have rested that rested when it
	// was last asked for; zero when none did.
	rested time.Time
	// began is when the book was started, and snapshot the resource version of
	// the list of Services that it was started from; empty when that is not known.
	began    time.Time
	snapshot string
}

// newBook returns a book without pools and Services.
func newBook() *book {
	return &book{
		alloc:      ipam.New(),
		namespaces: map[string]config.Labels{},
		entries:    map[string]*entry{},
		waiting:    map[string]*entry{},
		orphans:    map[string]*entry{},
		changed:    map[string]bool{},
	}
}

// start claims what the statuses of all handled Services show, the oldest
// Service first, and only then decides about each. Of two Services that show
// one address without sharing it, the older keeps it.
func (b *book) start(all []*request, now time.Time) {
	b.began = now
	for _, r := range slices.SortedFunc(slices.Values(all), compareRight) {
		e := newEntry(r)
		e.claimed = r.sharing
		b.entries[r.key] = e
		var held []netip.Addr
		for _, a := range r.shown {
			if err := b.alloc.ClaimExisting(r.key, append(slices.Clone(held), a), r.sharing); err == nil {
				held = append(held, a)
			}
		}
	}
	b.settleAll(now)
}

// configure puts other pools in force, and decides anew about every Service
// that this may concern. On an error nothing has changed.
func (b *book) configure(pools []config.Pool, rejected map[string]bool, now time.Time) error {
	order := make([]*config.Pool, len(pools))
	byName := make(map[string]*config.Pool, len(pools))
	for i := range pools {
		order[i], byName[pools[i].Name] = &pools[i], &pools[i]
	}
	slices.SortStableFunc(order, func(x, y *config.Pool) int {
		return cmp.Or(compareRank(x, y), cmp.Compare(x.Name, y.Name))
	})
	given := make([]ipam.Pool, len(order))
	for i, p := range order {
		given[i] = ipam.Pool{Name: p.Name, Ranges: p.Ranges, AvoidBuggyIPs: p.AvoidBuggyIPs, Cooldown: p.Cooldown}
		if i > 0 {
			given[i].Rank = given[i-1].Rank
			if compareRank(order[i-1], p) != 0 {
				given[i].Rank++
			}
		}
	}
	if err := b.alloc.SetPools(given, now); err != nil {
		return err
	}
	b.pools, b.byName, b.rejected = order, byName, rejected
	b.settleAll(now)
	return nil
}

// settleAll decides about every Service: about those that hold addresses
// first, and the older before the younger.
func (b *book) settleAll(now time.Time) {
	all := slices.SortedFunc(maps.Values(b.entries), func(x, y *entry) int { return compareAge(x.request, y.request) })
	var without []*entry
	for _, e := range all {
		if b.alloc.Holdings(e.key) == nil {
			without = append(without, e)
			continue
		}
		b.settle(e, now)
	}
	for _, e := range without {
		b.settle(e, now)
	}
	b.freed = len(b.waiting) > 0 && b.freed
}

// setNamespace tells the labels of a namespace, nil when it is gone.
func (b *book) setNamespace(name string, l config.Labels) {
	old, known := b.namespaces[name]
	if l == nil {
		delete(b.namespaces, name)
	} else {
		b.namespaces[name] = l
	}
	if known != (l != nil) || !maps.Equal(old, l) {
		b.freed = true
	}
}

// observe tells what a Service asks for and shows now. What is older than what
// is known already is ignored, because caches lag behind. Who waits already
// comes first where something has become free. Another Service of the same name
// begins with nothing.
func (b *book) observe(r *request, now time.Time) *entry {
	e := b.entries[r.key]
	switch {
	case e == nil && b.predates(r.version):
		return &entry{}
	case e != nil && b.outdated(e, r.uid, r.version):
		return e
	}
	if e != nil && e.uid != r.uid { // it is gone, and another has its name
		b.forget(r.key, now)
		e = nil
	}
	if e == nil {
		b.retry(now)
		e = newEntry(r)
		b.entries[r.key] = e
	}
	e.request = r
	if e.outcome.reason != Assigned {
		b.retry(now)
	}
	b.settle(e, now)
	return e
}

// forget releases all that a Service holds, because it is gone or no longer ours.
func (b *book) forget(key string, now time.Time) {
	e := b.entries[key]
	if e == nil {
		return
	}
	held, left := b.alloc.Release(key, now), b.releaseLeaving(e, now)
	b.freed = b.freed || held || left
	delete(b.entries, key)
	delete(b.waiting, key)
	delete(b.orphans, key)
	delete(b.changed, key)
}

// takeChanged returns the keys whose outcome changed since the last call.
func (b *book) takeChanged() []string {
	keys := slices.Sorted(maps.Keys(b.changed))
	clear(b.changed)
	return keys
}

// outdated reports whether there is a newer Service of an entry's name than the
// one of a uid and version, which a cache that is behind still has.
func (b *book) outdated(e *entry, uid, version string) bool {
	if e.uid == uid {
		return older(version, e.version)
	}
	return b.predates(version)
}

// predates reports whether a version is in the snapshot or older than that. A
// Service of such a version that the snapshot does not have was gone by then.
func (b *book) predates(version string) bool {
	return b.snapshot != "" && (version == b.snapshot || older(version, b.snapshot))
}

// compareAge orders older Services before younger ones.
func compareAge(x, y *request) int {
	return cmp.Or(x.created.Compare(y.created), cmp.Compare(x.key, y.key))
}

// compareRight orders Services by their right to what their status shows: those
// that are ours first, and older ones before younger.
func compareRight(x, y *request) int {
	return cmp.Or(compareBool(x.disowned, y.disowned), compareAge(x, y))
}

// compareRank orders pools by priority, of which zero comes last, and pinned
// ones before others.
func compareRank(x, y *config.Pool) int {
	return cmp.Or(compareBool(x.Priority == 0, y.Priority == 0), cmp.Compare(x.Priority, y.Priority),
		-compareBool(x.Pinned(), y.Pinned()))
}

// compareBool orders false before true.
func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	default:
		return 1
	}
}

// older reports whether resource version v is known to be older than w.
func older(v, w string) bool {
	a, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return false
	}
	b, err := strconv.ParseUint(w, 10, 64)
	return err == nil && a < b
}
