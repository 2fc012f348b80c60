package desired_test

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// A simEvent is something that happens at a time.
type simEvent struct {
	at  time.Duration
	seq int // keeps events of one time in order
	do  func()
}

type simEvents []simEvent

func (e simEvents) Len() int      { return len(e) }
func (e simEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e simEvents) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e *simEvents) Push(x any) { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// Facts are what the API says. They are frozen.
type facts struct {
	version  int
	config   *config.Config
	services []*desired.Service
	nodes    []desired.Node
}

// A sim is a cluster on a virtual clock.
type sim struct {
	*rand.Rand
	now      time.Duration
	events   simEvents
	seq      int
	speakers []*speaker
	facts    *facts
	links    map[string][]desired.Link // frozen
	trace    func(format string, args ...any)
	// hasty has speakers hear of nodes that are not alive at once.
	hasty bool
	// lastClaim is when somebody last made a claim.
	lastClaim time.Duration
}

// after has something happen later.
func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, simEvent{s.now + d, s.seq, do})
}

// within returns a random time of at most d.
func (s *sim) within(d time.Duration) time.Duration { return time.Duration(s.Int64N(int64(d))) + 1 }

// run lets everything happen that does until a time.
func (s *sim) run(until time.Duration) {
	for len(s.events) > 0 && s.events[0].at <= until {
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		e.do()
	}
	s.now = until
}

// learn has every speaker learn what the API says now, sooner or later.
func (s *sim) learn() {
	news := s.facts
	for _, p := range s.speakers {
		p.later(s.within(simFacts), func() {
			if p.facts.version < news.version {
				p.facts = news
				p.wake()
			}
		})
	}
}

// look has every speaker look after the others, sooner or later: after some of
// them at one time, so that many do not take too long.
func (s *sim) look() {
	const glances = 6
	for _, p := range s.speakers {
		var died, returned [glances][]*speaker
		for _, q := range s.speakers {
			switch at := s.IntN(glances); {
			case !p.running || p.alive[q.name] == p.reaches(q):
			case p.alive[q.name]:
				died[at] = append(died[at], q)
			default:
				returned[at] = append(returned[at], q)
			}
		}
		for at := range glances {
			if died[at] != nil {
				p.later(s.within(simDetect), func() { p.see(died[at]) })
			}
			if returned[at] != nil {
				p.later(s.within(simReturn), func() { p.see(returned[at]) })
			}
		}
	}
}

// simAddr returns the address of a Service's number.
func simAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }
