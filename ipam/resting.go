package ipam

import (
	"cmp"
	"time"
)

// Before has the heap of those that rest begin with the entry that will be the
// first to have rested enough.
func (e *entry) Before(other *entry) bool {
	return cmp.Or(e.rested.Compare(other.rested), e.addr.Compare(other.addr)) < 0
}

// rests reports whether the entry rests: it is kept from others for a while
// after its last owner went.
func (e *entry) rests() bool { return e.Placed() }

// rest lets an entry that has lost its last owner rest; expire frees it.
func (a *Allocator) rest(e *entry, now time.Time) {
	e.released, e.rested = now, now.Add(e.pool.Cooldown)
	e.space().held--
	e.space().resting++
	a.resting.Put(e)
}

// wake ends an entry's rest since it has an owner again.
func (a *Allocator) wake(e *entry) {
	a.resting.Take(e)
	e.space().resting--
	e.space().held++
}

// expire frees every address that has rested enough.
func (a *Allocator) expire(now time.Time) {
	for e, ok := a.resting.First(); ok && !e.rested.After(now); e, ok = a.resting.First() {
		a.resting.Take(e)
		e.space().resting--
		e.space().used.remove(e.ordinal)
		e.pool.order.noteRoom(e.pool, FamilyOf(e.addr))
		delete(a.entries, e.addr)
	}
}

// NextRested returns when the next address that rests will be free: the time
// to try requests again that were ErrExhausted. It is zero when none rests.
func (a *Allocator) NextRested(now time.Time) time.Time {
	a.expire(now)
	if e, ok := a.resting.First(); ok {
		return e.rested
	}
	return time.Time{}
}
