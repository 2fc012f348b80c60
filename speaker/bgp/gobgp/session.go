package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bgp"
)

const (
	// connectWithin is how long one attempt to connect takes at most: longer than
	// ARP and neighbor discovery take to give up, so that the reason is known.
	connectWithin = 5 * time.Second
	// eager is how long attempts come once a second after the session was opened
	// or lost, which is when a router is likely to come back. Then they come once
	// in a connect time.
	eager = time.Minute
	retry = time.Second
	// drainFor is how long a router has to take the last message, and then to
	// close the connection.
	drainFor = 400 * time.Millisecond
)

// closedHere is the reason of a session's end that was asked for.
const closedHere = "closed by this node"

var errClosed = errors.New("the session is closed")

// Router makes sessions.
type Router struct{}

var _ bgp.Router = Router{}

// Open starts a session. See bgp.Router.
func (Router) Open(n bgp.Neighbor, paths []bgp.Path, notify func(bgp.Event)) (bgp.Session, error) {
	l, err := newLibrary(n, paths)
	if err != nil {
		return nil, err
	}
	return begin(n, l, notify), nil
}

// begin starts a session with a library of its own.
func begin(n bgp.Neighbor, l *library, notify func(bgp.Event)) *session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{
		n: n, l: l, notify: notify, cancel: cancel, done: make(chan struct{}),
		calm: make(chan struct{}, 1), flight: newFlight(), restarted: true,
	}
	go s.run(ctx)
	return s
}

// A session is one with a router.
type session struct {
	n      bgp.Neighbor
	l      *library
	notify func(bgp.Event)
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	closed bool
	// calm has an element while the library's routes must not change, or do
	// change.
	calm chan struct{}
	// flight has the prefixes that have changed and are not sent yet.
	flight *flight

	mu   sync.Mutex
	gate *gate // of the connection; nil when there is none

	// Of run's goroutine, and of those that it waits for.
	last      bgp.Event
	lastUp    time.Time // when the session was last up, or opened
	restarted bool      // this end has not had a session yet
}

// Announce announces paths. See bgp.Session.
func (s *session) Announce(paths []bgp.Path) error {
	if s.closed {
		return errClosed
	}
	s.calm <- struct{}{}
	defer func() { <-s.calm }()
	prefixes := make([]netip.Prefix, 0, len(paths))
	for _, p := range paths {
		prefixes = append(prefixes, p.Prefix)
	}
	s.board(prefixes)
	return s.l.announce(paths)
}

// Withdraw takes prefixes back. See bgp.Session.
func (s *session) Withdraw(prefixes []netip.Prefix) error {
	if s.closed {
		return errClosed
	}
	s.calm <- struct{}{}
	defer func() { <-s.calm }()
	s.board(prefixes)
	return s.l.withdraw(prefixes)
}

// board waits until earlier changes of prefixes have been sent.
func (s *session) board(prefixes []netip.Prefix) {
	ctx, cancel := context.WithTimeout(context.Background(), libraryWithin)
	defer cancel()
	s.flight.board(ctx, prefixes)
}

// Reset drops the connection. See bgp.Session.
func (s *session) Reset(reason string) error {
	if s.closed {
		return errClosed
	}
	if g := s.current(); g != nil {
		g.end(reason)
	}
	return nil
}

// Close ends the session. See bgp.Session.
func (s *session) Close(farewell bgp.Farewell) error {
	if s.closed {
		return errClosed
	}
	s.closed = true
	s.cancel()
	if g := s.current(); g != nil && farewell == bgp.Cease {
		g.cease()
		select {
		case <-g.gone:
		case <-time.After(drainFor):
		}
	}
	if g := s.current(); g != nil {
		g.end(closedHere)
	}
	<-s.done
	s.l.stop()
	return nil
}

// current returns the gate of the connection, or nil.
func (s *session) current() *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate
}

func (s *session) setCurrent(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = g
}

// run connects, again and again, until the session is closed.
func (s *session) run(ctx context.Context) {
	defer close(s.done)
	s.lastUp = time.Now()
	s.tell(bgp.Event{State: bgp.Connect})
	for ctx.Err() == nil {
		began := time.Now()
		c, err := dial(ctx, s.n, connectWithin)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return
		case err != nil:
			s.tell(bgp.Event{State: bgp.Active, Reason: dialReason(err, s.n)})
		default:
			reason := s.attend(ctx, c)
			s.tell(bgp.Event{State: bgp.Idle, Reason: reason})
		}
		every := s.n.ConnectTime
		if time.Since(s.lastUp) < eager {
			every = min(every, retry)
		}
		pause.For(ctx, time.Until(began.Add(every)))
	}
}

// attend has a session over a connection, and returns why it ended.
func (s *session) attend(ctx context.Context, router net.Conn) string {
	c, said, open, err := s.l.connect(ctx)
	if err != nil {
		_ = router.Close()
		_ = s.l.disarm() // whatever state it is in
		return err.Error()
	}
	g := &gate{
		n: s.n, router: router, library: c, said: said, gone: make(chan struct{}),
		offer: offer{
			noHold: s.n.HoldTime == 0, extendedNextHop: s.n.ExtendedNextHop,
			restart: s.n.GracefulRestart, restarted: s.restarted,
		},
		opening: &hold{lock: s.calm}, flight: s.flight, report: s.reached, forget: func() { _ = s.l.disarm() },
	}
	s.setCurrent(g)
	if ctx.Err() != nil {
		g.end(closedHere) // after Close has looked for a connection to end
	}
	reason := g.run(open)
	s.setCurrent(nil)
	if s.last.State == bgp.EstablishedState {
		s.lastUp = time.Now()
	}
	if ctx.Err() != nil {
		return reason
	}
	if err := s.l.arm(); err != nil {
		return reason + "; " + err.Error()
	}
	return reason
}

// reached tells a state on the way to an established session, or that one.
func (s *session) reached(state bgp.State, e bgp.Established) {
	ev := bgp.Event{State: state, Established: e, Reason: s.last.Reason}
	if state == bgp.EstablishedState {
		s.restarted, ev.Reason = false, ""
	}
	s.tell(ev)
}

// tell tells an event, if it says anything new.
func (s *session) tell(e bgp.Event) {
	last := s.last
	last.At = time.Time{}
	if e == last {
		return
	}
	e.At = time.Now()
	s.last = e
	s.notify(e)
}
