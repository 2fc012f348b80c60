package bfd

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/internal/diff"
	"github.com/heraldlb/herald/internal/heap"
)

// A session is a machine with its place in the engine.
type session struct {
	*machine
	key  key
	wish Session
	door door // where it receives

	outbox outbox    // nil when there is none
	dialed time.Time // when it was tried to open one last
	err    error     // why the last packet was not sent

	heard      *atomic.Int64 // when the last packet came, after the manager's birth
	late       time.Duration // see Status.Late
	due        time.Time     // when there is something to do
	heap.Place               // in the engine's queue, while there is something to do
	counters   counters
}

// Before has the queue begin with the session that has something to do first.
func (s *session) Before(other *session) bool { return s.due.Before(other.due) }

// slack returns how much too early a packet may be sent.
func (s *session) slack() time.Duration { return min(ahead, s.interval()/50) }

// set makes want the sessions. What is wrong with one stops no other.
func (e *engine) set(want []Session, now time.Time) error {
	var errs []error
	have, wish := map[key]Session{}, map[key]Session{}
	for k, s := range e.sessions {
		have[k] = s.wish
	}
	for _, w := range want {
		k, err := w.key()
		if _, twice := wish[k]; err == nil && twice {
			err = errors.New("wanted twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bfd session %s: %w", w.label(), err))
			continue
		}
		wish[k] = w
	}
	change := diff.Of(have, wish, key.compare, func(a, b Session) bool { return a == b })
	for _, k := range change.Add {
		e.add(k, wish[k], now)
	}
	for _, k := range change.Update {
		e.update(e.sessions[k], wish[k])
	}
	for _, k := range change.Remove {
		e.remove(e.sessions[k], now)
	}
	e.closeDoors()
	return errors.Join(append(errs, e.troubles()...)...)
}

// add begins a session.
func (e *engine) add(k key, wish Session, now time.Time) {
	s := &session{
		machine: newMachine(wish.Profile, e.discriminator(), now),
		key:     k, wish: wish, door: door{port: e.config.Port, v6: k.remote.Is6(), multihop: k.multihop},
		heard: &atomic.Int64{},
	}
	if k.multihop {
		s.door.port = e.config.MultihopPort
	}
	s.counters = e.metrics.counters(wish.label())
	e.sessions[k], e.byLocal[s.local] = s, s
	e.byPeer[s.peer()] = append(e.byPeer[s.peer()], s)
	e.open(s.door, now)
	e.dial(s, now)
	e.dirty = true
	e.reschedule(s)
}

// update changes a session that goes on.
func (e *engine) update(s *session, wish Session) {
	if old := s.wish.label(); old != wish.label() {
		s.wish = wish
		e.forget(old)
		s.counters = e.metrics.counters(wish.label())
		s.counters.up.Set(float64(bit(s.state == Up)))
	}
	s.wish = wish
	s.configure(wish.Profile)
	e.dirty = true
	e.reschedule(s)
}

// remove ends a session, and tells the peer unless it is to be hushed.
func (e *engine) remove(s *session, now time.Time) {
	if !e.hushed.Load() && (s.remote != 0 || !s.profile.Passive) {
		s.stop(now)
		e.send(s, false, now)
	}
	if s.outbox != nil {
		_ = s.outbox.Close()
	}
	e.queue.Take(s)
	delete(e.sessions, s.key)
	delete(e.byLocal, s.local)
	rest := slices.DeleteFunc(e.byPeer[s.peer()], func(o *session) bool { return o == s })
	if e.byPeer[s.peer()] = rest; len(rest) == 0 {
		delete(e.byPeer, s.peer())
	}
	e.forget(s.wish.label())
	e.dirty = true
}

// forget drops the series of a peer that no session is called by any more.
func (e *engine) forget(label string) {
	for _, s := range e.sessions {
		if s.wish.label() == label {
			return
		}
	}
	e.metrics.forget(label)
}

// discriminator returns one that no session has.
func (e *engine) discriminator() uint32 {
	for {
		d := rand.Uint32()
		if d != 0 && e.byLocal[d] == nil {
			return d
		}
	}
}

// dial opens the sending socket of s, or another one in its place, and reports
// whether it has one.
func (e *engine) dial(s *session, now time.Time) bool {
	if !s.dialed.IsZero() && now.Sub(s.dialed) < retryInterval {
		return s.outbox != nil
	}
	s.dialed = now
	o, err := e.network.dial(path{key: s.key, port: s.door.port})
	if err != nil {
		e.fault(s, err)
		e.again(now)
		return s.outbox != nil
	}
	if s.outbox != nil {
		_ = s.outbox.Close()
	}
	s.outbox = o
	return true
}

// fault notes why a packet of s cannot be sent, nil if it was.
func (e *engine) fault(s *session, err error) {
	if s.err == nil && err == nil || s.err != nil && err != nil && s.err.Error() == err.Error() {
		return
	}
	s.err = err
	e.dirty, e.tell = true, true
	if err != nil {
		level.Warn(e.config.Logger).Log("msg", "bfd packets not sent", "peer", s.wish.label(), "error", err)
	}
}

// troubles returns what keeps sessions from receiving or sending.
func (e *engine) troubles() []error {
	var errs []error
	for _, at := range slices.SortedFunc(maps.Keys(e.doors), door.compare) {
		if err := e.doors[at].err; err != nil {
			errs = append(errs, err)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(e.sessions), key.compare) {
		if s := e.sessions[k]; s.outbox == nil {
			errs = append(errs, fmt.Errorf("bfd session %s: %w", s.wish.label(), s.err))
		}
	}
	return errs
}

// status returns what callers see of s.
func (e *engine) status(s *session) Status {
	st := Status{
		Session: s.wish, Discriminator: s.local, State: s.state, RemoteState: s.remoteState,
		Diagnostic: s.diagnostic, RemoteDiagnostic: s.remoteDiagnostic,
		Since: s.since, Transmit: s.interval(), Detection: s.detection(), Error: s.err,
	}
	if err := e.doors[s.door].err; err != nil {
		st.Error = err
	}
	if s.state == Down && s.diagnostic == DetectionTimeExpired {
		st.Late = s.late
	}
	return st
}

// compare orders what is published.
func (a seen) compare(b seen) int { return a.key.compare(b.key) }
