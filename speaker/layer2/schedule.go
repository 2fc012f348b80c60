package layer2

import (
	"container/heap"
	"hash/fnv"
	"net/netip"
	"time"
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

// A task is something to send again and again, or once if it is a defence.
type task struct {
	port    *port
	addr    netip.Addr
	defence bool
}

// refresh returns the time from one refresh to the next.
func (t task) refresh() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.port.key.name))
	_, _ = h.Write(t.addr.AsSlice())
	return refreshInterval - refreshSpread + time.Duration(h.Sum32())%(2*refreshSpread)
}

// An appointment is a task and when it is due.
type appointment struct {
	task  task
	due   time.Time
	round int // how often it has been sent since it was started
	index int // in its queue
}

// urgent reports whether the appointment goes before repeated announcements.
func (a *appointment) urgent() bool { return a.round == 0 }

// A schedule says what to send when. It is pure: time is an argument.
type schedule struct {
	tasks map[task]*appointment
	// first has the urgent appointments and again the others, each by time.
	first, again queue
}

func newSchedule() *schedule { return &schedule{tasks: map[task]*appointment{}} }

// start makes a task due now, as if it had never been sent.
func (s *schedule) start(t task, now time.Time) {
	s.cancel(t)
	s.add(&appointment{task: t, due: now})
}

// once makes a task due at a time, unless it is due already.
func (s *schedule) once(t task, due time.Time) {
	if s.tasks[t] == nil {
		s.add(&appointment{task: t, due: due})
	}
}

// cancel drops a task.
func (s *schedule) cancel(t task) {
	if a := s.tasks[t]; a != nil {
		heap.Remove(s.queueOf(a), a.index)
		delete(s.tasks, t)
	}
}

// next returns when something is due; ok is false when nothing ever is.
func (s *schedule) next() (due time.Time, ok bool) {
	for _, q := range []queue{s.first, s.again} {
		if len(q) > 0 && (!ok || q[0].due.Before(due)) {
			due, ok = q[0].due, true
		}
	}
	return due, ok
}

// pop takes what is due now and most urgent, and plans its next time; ok is
// false when nothing is due. A round of zero is the first after a start.
func (s *schedule) pop(now time.Time) (t task, round int, ok bool) {
	for _, q := range []*queue{&s.first, &s.again} {
		if len(*q) == 0 || (*q)[0].due.After(now) {
			continue
		}
		a := heap.Pop(q).(*appointment)
		t, round = a.task, a.round
		delete(s.tasks, t)
		if t.defence {
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
	heap.Push(s.queueOf(a), a)
}

func (s *schedule) queueOf(a *appointment) *queue {
	if a.urgent() {
		return &s.first
	}
	return &s.again
}

// A queue is a heap of appointments by time.
type queue []*appointment

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	a := x.(*appointment)
	a.index = len(*q)
	*q = append(*q, a)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	a := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return a
}
