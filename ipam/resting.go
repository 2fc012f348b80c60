package ipam

import (
	"cmp"
	"container/heap"
	"time"
)

// resting is a heap of the entries that rest: the one that is the first to
// have rested enough on top.
type resting []*entry

var _ heap.Interface = (*resting)(nil)

// awake is the place of an entry that does not rest.
const awake = -1

// Len, Less, Swap, Push and Pop are those of heap.Interface.
func (r resting) Len() int { return len(r) }

func (r resting) Less(i, j int) bool {
	return cmp.Or(r[i].rested.Compare(r[j].rested), r[i].addr.Compare(r[j].addr)) < 0
}

func (r resting) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push adds an entry at the end.
func (r *resting) Push(x any) {
	e := x.(*entry)
	e.place = len(*r)
	*r = append(*r, e)
}

// Pop takes the last entry off.
func (r *resting) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	e.place = awake
	return e
}

// rest lets an entry that has lost its last owner rest; expire frees it.
func (a *Allocator) rest(e *entry, now time.Time) {
	e.released, e.rested = now, now.Add(e.pool.Cooldown)
	e.space().held--
	e.space().resting++
	heap.Push(&a.resting, e)
}

// wake ends an entry's rest since it has an owner again.
func (a *Allocator) wake(e *entry) {
	heap.Remove(&a.resting, e.place)
	e.space().resting--
	e.space().held++
}

// expire frees every address that has rested enough.
func (a *Allocator) expire(now time.Time) {
	for len(a.resting) > 0 && !a.resting[0].rested.After(now) {
		e := heap.Pop(&a.resting).(*entry)
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
	if len(a.resting) == 0 {
		return time.Time{}
	}
	return a.resting[0].rested
}
