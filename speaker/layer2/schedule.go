package layer2

import (
	"hash/fnv"
	"time"

	"github.com/heraldlb/herald/internal/heap"
)

// burst is the time from each announcement of an address that has just come to
// the next one: after 0, 100, 300, 700 and 1500 ms.
var burst = [...]time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
}

// The time from one refresh to the next: refreshInterval, give or take up to
// refreshSpread, always the same for one address at one interface.
const (
	refreshInterval = time.Minute
	refreshSpread   = 10 * time.Second
)

// A task is something to send about a spot: an announcement again and again,
// the others once.
type task struct {
	spot
	kind kind
}

// A kind is what a task sends.
type kind int

// The kinds.
const (
	announcement kind = iota + 1
	defence
	probe

	kinds
)

// refresh returns the time from one refresh to the next.
func (t task) refresh() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.port.key.name))
	_, _ = h.Write(t.addr.AsSlice())
	return refreshInterval - refreshSpread + time.Duration(h.Sum32())%(2*refreshSpread)
}

// An appointment is a task and when it is due.
type appointment struct {
	task       task
	due        time.Time
	round      int // how often it has been sent since it was started
	heap.Place     // in its queue
}

// Before has a queue begin with the appointment that is due first.
func (a *appointment) Before(other *appointment) bool { return a.due.Before(other.due) }

// rank says which of several that are due goes first: first announcements, then
// probes, then the rest.
func (a *appointment) rank() int {
	switch {
	case a.task.kind == announcement && a.round == 0:
		return 0
	case a.task.kind == probe:
		return 1
	default:
		return 2
	}
}

// A schedule says what to send when. It is pure: time is an argument.
type schedule struct {
	tasks map[task]*appointment
	// queues has the appointments of each rank by time.
	queues [3]heap.Heap[*appointment]
}

func newSchedule() *schedule { return &schedule{tasks: map[task]*appointment{}} }

// start makes a task due now, as if it had never been sent.
func (s *schedule) start(t task, now time.Time) {
	s.cancel(t)
	s.add(&appointment{task: t, due: now})
}

// forget drops every task about a spot.
func (s *schedule) forget(at spot) {
	for k := announcement; k < kinds; k++ {
		s.cancel(task{at, k})
	}
}

// cancel drops a task.
func (s *schedule) cancel(t task) {
	if a := s.tasks[t]; a != nil {
		s.queueOf(a).Take(a)
		delete(s.tasks, t)
	}
}

// next returns when something is due; ok is false when nothing ever is.
func (s *schedule) next() (due time.Time, ok bool) {
	for i := range s.queues {
		if a, some := s.queues[i].First(); some && (!ok || a.due.Before(due)) {
			due, ok = a.due, true
		}
	}
	return due, ok
}

// pop takes what is due now and most urgent, and plans its next time; ok is
// false when nothing is due. A round of zero is the first after a start.
func (s *schedule) pop(now time.Time) (t task, round int, ok bool) {
	for i := range s.queues {
		a, some := s.queues[i].First()
		if !some || a.due.After(now) {
			continue
		}
		s.queues[i].Take(a)
		t, round = a.task, a.round
		delete(s.tasks, t)
		if t.kind != announcement {
			return t, round, true
		}
		a.due = now.Add(t.refresh())
		if round < len(burst) {
			a.due = now.Add(burst[round])
		}
		a.round++
		s.add(a)
		return t, round, true
	}
	return task{}, 0, false
}

func (s *schedule) add(a *appointment) {
	s.tasks[a.task] = a
	s.queueOf(a).Put(a)
}

func (s *schedule) queueOf(a *appointment) *heap.Heap[*appointment] { return &s.queues[a.rank()] }
