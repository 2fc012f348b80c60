package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/internal/heap"
)

// An Allocator knows which owner holds which address. It is made by New.
type Allocator struct {
	pools map[string]*pool
	order *order
	// index has every range of every pool, in address order.
	index []located
	// entries has every address that is held or rests.
	entries map[netip.Addr]*entry
	holders map[string]*holder
	// orphans are the entries without a pool.
	orphans map[netip.Addr]*entry
	resting heap.Heap[*entry]
}

// New returns an Allocator without pools and claims.
func New() *Allocator {
	return &Allocator{
		pools:   map[string]*pool{},
		order:   newOrder(nil),
		entries: map[netip.Addr]*entry{},
		holders: map[string]*holder{},
		orphans: map[netip.Addr]*entry{},
	}
}

// Claim makes owner hold exactly addrs, on the terms of s; what it held
// besides is released. An address may rest, but it must be in a pool unless
// owner holds it already. On an error, which wraps ErrNotInPool or a
// *ConflictError, nothing has changed. No addrs is the same as Release.
func (a *Allocator) Claim(owner string, addrs []netip.Addr, s Sharing, now time.Time) error {
	a.expire(now)
	s = s.normal()
	held := a.holders[owner].addresses()
	for _, addr := range addrs {
		if _, err := a.locate(addr); err != nil && !slices.Contains(held, addr) {
			return fmt.Errorf("claim %v for %q: %w", addr, owner, err)
		}
	}
	return a.claim(owner, addrs, s, now)
}

// ClaimExisting is Claim for what was assigned before the Allocator was
// there: an address in no pool becomes an orphan, which owner keeps until it
// is released. What owner held besides has rested enough already.
func (a *Allocator) ClaimExisting(owner string, addrs []netip.Addr, s Sharing) error {
	for _, addr := range addrs {
		if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" {
			return fmt.Errorf("claim %v for %q: neither plain IPv4 nor plain IPv6", addr, owner)
		}
	}
	return a.claim(owner, addrs, s.normal(), time.Time{})
}

// claim checks for conflicts and then assigns.
func (a *Allocator) claim(owner string, addrs []netip.Addr, s Sharing, now time.Time) error {
	for _, addr := range addrs {
		if conflict := a.entries[addr].conflict(owner, s); conflict != nil {
			return fmt.Errorf("claim for %q: %w", owner, conflict)
		}
	}
	a.assign(a.holder(owner), addrs, s, now)
	return nil
}

// Release takes everything from owner, and reports whether that was anything.
func (a *Allocator) Release(owner string, now time.Time) bool {
	a.expire(now)
	h := a.holders[owner]
	if h == nil {
		return false
	}
	a.assign(h, nil, Sharing{}, now)
	return true
}

// holder returns who holds addresses under a name, or a new one of the name.
func (a *Allocator) holder(owner string) *holder {
	if h := a.holders[owner]; h != nil {
		return h
	}
	return &holder{name: owner}
}

// assign makes h hold exactly addrs, which are known not to conflict.
func (a *Allocator) assign(h *holder, addrs []netip.Addr, s Sharing, now time.Time) {
	if h.sharing.equal(s) && slices.Equal(h.addresses(), addrs) {
		return
	}
	before := slices.Clone(h.entries) // whose memory is used again
	for _, e := range before {
		e.drop(h)
	}
	h.sharing, h.entries = s, h.few[:0]
	for _, addr := range addrs {
		e := a.occupy(addr)
		if slices.Contains(h.entries, e) {
			continue
		}
		e.add(h)
		h.entries = append(h.entries, e)
	}
	for _, e := range before {
		a.vacate(e, now)
	}
	switch {
	case len(h.entries) == 0:
		delete(a.holders, h.name)
	case len(before) == 0:
		a.holders[h.name] = h
	}
}

// occupy returns the entry of addr, made if need be, as one that does not
// rest. Entries that are between two owners are found as they are.
func (a *Allocator) occupy(addr netip.Addr) *entry {
	e := a.entries[addr]
	switch {
	case e == nil:
		e = &entry{addr: addr}
		e.owners = e.sole[:0]
		a.entries[addr] = e
		a.settle(e)
	case e.rests():
		a.wake(e)
	}
	return e
}

// vacate lets go of an entry unless it has an owner.
func (a *Allocator) vacate(e *entry, now time.Time) {
	switch {
	case len(e.owners) > 0 || e.rests():
	case e.pool == nil:
		delete(a.orphans, e.addr)
		delete(a.entries, e.addr)
	default:
		a.rest(e, now)
		a.expire(now)
	}
}

// settle finds the pool of an entry that has none and is counted nowhere.
func (a *Allocator) settle(e *entry) {
	place, err := a.locate(e.addr)
	if err != nil {
		a.orphans[e.addr] = e
		return
	}
	e.pool, e.ordinal = place.pool, place.ordinal
	e.space().used.insert(e.ordinal)
	e.pool.order.noteRoom(e.pool, FamilyOf(e.addr))
	e.space().held++
}

// Holdings returns what owner holds, in the order it was claimed or asked
// for; nil when nothing.
func (a *Allocator) Holdings(owner string) []Assignment {
	return a.holders[owner].holdings()
}

// Owners returns who holds addr, sorted; nil when nobody does.
func (a *Allocator) Owners(addr netip.Addr) []string {
	e := a.entries[addr]
	if e == nil || len(e.owners) == 0 {
		return nil
	}
	names := make([]string, len(e.owners))
	for i, h := range e.owners {
		names[i] = h.name
	}
	return names
}

// PoolOf returns the name of the pool that gives addr out; empty when none does.
func (a *Allocator) PoolOf(addr netip.Addr) string {
	place, err := a.locate(addr)
	if err != nil {
		return ""
	}
	return place.pool.Name
}

// Usage counts the addresses of one family in a pool; zero when there is no
// such pool.
func (a *Allocator) Usage(pool string, f Family) Usage {
	p := a.pools[pool]
	if p == nil || (f != IPv4 && f != IPv6) {
		return Usage{}
	}
	return p.space(f).usage()
}
