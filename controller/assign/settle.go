package assign

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/ipam"
)

// leavingOwner is the name under which an address is kept that a Service has
// lost while its status still shows it. It also reads well in a message.
func leavingOwner(key string, a netip.Addr) string {
	return fmt.Sprintf("%s (giving up %s)", key, a)
}

// settle decides about one Service, and notes what follows from that.
func (b *book) settle(e *entry, now time.Time) {
	before, sharing := b.keptFromOthers(e), e.claimed
	b.releaseLeaving(e, now)
	out := b.decide(e, now)
	b.keepLeaving(e, sharing)
	b.noteHomes(e)
	b.recall(e, &out)
	b.noteWaiting(e, out)

	if lost(before, b.keptFromOthers(e)) || !sameSharing(sharing, e.claimed) {
		b.freed = true
	}
	if out.same(e.outcome) {
		out.cause = e.outcome.cause
	} else {
		b.changed[e.key] = true
	}
	e.outcome = out
}

// keptFromOthers returns all that nobody else can have because of an entry.
func (b *book) keptFromOthers(e *entry) []ipam.Assignment {
	all := b.alloc.Holdings(e.key)
	for a := range e.leaving {
		all = append(all, b.alloc.Holdings(leavingOwner(e.key, a))...)
	}
	return all
}

// releaseLeaving releases what is kept under the names of leavingOwner, and
// reports whether that was anything.
func (b *book) releaseLeaving(e *entry, now time.Time) bool {
	freed := false
	for _, a := range slices.SortedFunc(maps.Keys(e.leaving), netip.Addr.Compare) {
		freed = b.alloc.Release(leavingOwner(e.key, a), now) || freed
	}
	return freed
}

// keepLeaving keeps the addresses that the status shows, but the Service no
// longer holds, from others until the status has been rewritten. What it holds
// no longer since now is kept under this sharing, other addresses as they were.
// What another Service holds by right cannot be kept.
func (b *book) keepLeaving(e *entry, sharing ipam.Sharing) {
	var leaving map[netip.Addr]ipam.Sharing
	held := b.alloc.Holdings(e.key)
	for _, a := range e.shown {
		if slices.ContainsFunc(held, func(h ipam.Assignment) bool { return h.Address == a }) {
			continue
		}
		terms, before := e.leaving[a]
		if !before {
			terms = sharing
		}
		if err := b.alloc.ClaimExisting(leavingOwner(e.key, a), []netip.Addr{a}, terms); err == nil {
			if leaving == nil {
				leaving = map[netip.Addr]ipam.Sharing{}
			}
			leaving[a] = terms
		}
	}
	e.leaving = leaving
}

// noteHomes remembers where the addresses held come from, and forgets since
// when others were in no pool.
func (b *book) noteHomes(e *entry) {
	homes := make(map[netip.Addr]string, len(e.homes))
	orphaned := make(map[netip.Addr]time.Time, len(e.orphaned))
	for _, h := range b.alloc.Holdings(e.key) {
		if h.Pool != "" {
			homes[h.Address] = h.Pool
			continue
		}
		if since, ok := e.orphaned[h.Address]; ok {
			orphaned[h.Address] = since
		}
		if old, ok := e.homes[h.Address]; ok {
			homes[h.Address] = old
		}
	}
	e.homes, e.orphaned = homes, orphaned
}

// recall repeats what a status says already where no better is known: after a
// start nobody knows which pool an address came from that is in none.
func (b *book) recall(e *entry, out *outcome) {
	if e.toldReason != out.reason.String() || !out.reason.fulfilled() || !slices.Equal(e.shown, out.addresses) {
		return
	}
	for _, a := range out.addresses {
		if e.homes[a] == "" {
			out.message = e.told
		}
	}
}

// noteWaiting puts the entry on the lists of those that wait for something.
func (b *book) noteWaiting(e *entry, out outcome) {
	delete(b.waiting, e.key)
	delete(b.orphans, e.key)
	if out.reason != Assigned && out.reason != BeingDeleted {
		b.waiting[e.key] = e
	}
	if !e.graceEnds().IsZero() {
		b.orphans[e.key] = e
	}
}

// retry decides anew about those that wait, the oldest first, if something
// happened that may help one of them.
func (b *book) retry(now time.Time) {
	if !b.rested.IsZero() && !now.Before(b.rested) {
		b.freed, b.rested = true, b.alloc.NextRested(now)
	}
	full := map[string]bool{} // what a request like it was just refused for
	for b.freed {
		b.freed = false
		clear(full)
		for _, e := range slices.SortedFunc(maps.Values(b.waiting), func(x, y *entry) int {
			return compareAge(x.request, y.request)
		}) {
			like := b.likeness(e)
			if like != "" && full[like] {
				continue
			}
			b.settle(e, now)
			if like != "" && e.outcome.reason == PoolExhausted {
				full[like] = true
			}
		}
	}
}

// likeness is equal for requests that are bound to be refused together: those
// of Services that hold nothing and ask for no more than any address of the
// same pools. It is empty for all others.
func (b *book) likeness(e *entry) string {
	if e.outcome.reason != PoolExhausted || len(e.addresses) > 0 || e.sharing.Key != "" || len(e.leaving) > 0 ||
		b.alloc.Holdings(e.key) != nil {
		return ""
	}
	names, refused := b.candidates(e)
	if refused != nil {
		return ""
	}
	return fmt.Sprint(e.whole, e.families) + "/" + strings.Join(names, "/")
}

// wake does what is due by the clock: the end of a Grace, of a cooldown.
func (b *book) wake(now time.Time) {
	for _, e := range slices.SortedFunc(maps.Values(b.orphans), func(x, y *entry) int {
		return cmp.Or(x.graceEnds().Compare(y.graceEnds()), compareAge(x.request, y.request))
	}) {
		if !now.Before(e.graceEnds()) {
			b.settle(e, now)
		}
	}
	b.freed = true
	b.retry(now)
}

// nextWake returns when wake is to be called; zero when nothing is due.
func (b *book) nextWake(now time.Time) time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, e := range b.orphans {
		sooner(e.graceEnds())
	}
	if len(b.waiting) > 0 {
		if b.rested.IsZero() || now.Before(b.rested) {
			b.rested = b.alloc.NextRested(now)
		}
		sooner(b.rested)
	}
	return next
}

// lost reports whether an address of before is not in after.
func lost(before, after []ipam.Assignment) bool {
	return slices.ContainsFunc(before, func(x ipam.Assignment) bool {
		return !slices.ContainsFunc(after, func(y ipam.Assignment) bool { return x.Address == y.Address })
	})
}

// sameSharing compares two Sharings.
func sameSharing(x, y ipam.Sharing) bool {
	return x.Key == y.Key && x.Backends == y.Backends && slices.Equal(x.Ports, y.Ports)
}
