package bfd

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/internal/heap"
)

const (
	// retryInterval is how often sockets that could not be opened are tried again.
	retryInterval = time.Second
	// batch is how many packets are read from one socket at a time. It is more
	// than a socket holds, so that after one batch everything has been read that
	// was there before it.
	batch = 4096
	// ahead is how much too early a packet may be sent, so that one wake-up
	// serves several sessions.
	ahead = time.Millisecond
)

// An engine owns the sessions. All its methods are for one goroutine.
type engine struct {
	*shared
	sessions map[key]*session
	// byLocal has all sessions by our discriminator, byPeer by whom a packet is from.
	byLocal map[uint32]*session
	byPeer  map[peer][]*session
	queue   heap.Heap[*session]
	doors   map[door]*opening
	stalls  stalls

	comeC    chan struct{} // capacity 1: something may have come
	watchers sync.WaitGroup
	timer    *time.Timer
	armed    time.Time // what timer is set to; zero if it is not
	woke     time.Time // when the present wake-up began
	retry    time.Time // when sockets are tried again; zero if none needs it
	dirty    bool      // what is published is not true any more
	tell     bool      // and callers want to know
	buffer   [1 << 11]byte
	out      []byte
}

func newEngine(s *shared) *engine {
	return &engine{
		shared:   s,
		sessions: map[key]*session{},
		byLocal:  map[uint32]*session{},
		byPeer:   map[peer][]*session{},
		doors:    map[door]*opening{},
		comeC:    make(chan struct{}, 1),
		out:      make([]byte, 0, packetLen),
	}
}

// run serves until ctx ends.
func (e *engine) run(ctx context.Context) error {
	e.timer = time.NewTimer(time.Hour)
	defer e.timer.Stop()
	e.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			e.end(time.Now())
			return nil
		case r := <-e.requests.C:
			e.look()
			err := r.Run(e)
			e.publish() // the caller may look at once
			r.Answer(err)
			e.stalls.note(time.Now(), time.Since(e.woke))
			e.collect() // that took its time
		case <-e.comeC:
			e.look()
		case <-e.timer.C:
			e.look()
		}
		e.work(time.Now())
		e.publish()
		e.arm()
	}
}

// look notes whether we are late, and takes what has come. It comes before
// everything else that a wake-up does.
func (e *engine) look() {
	now := time.Now()
	if !e.armed.IsZero() && now.After(e.armed) {
		e.stalls.note(now, now.Sub(e.armed))
		e.metrics.late.Observe(now.Sub(e.armed).Seconds())
	}
	e.woke, e.armed = now, time.Time{}
	e.collect()
}

// collect takes what has come.
func (e *engine) collect() {
	for _, o := range e.doors {
		if o.inbox != nil {
			e.read(o)
		}
	}
}

// read takes what has come through a door.
func (e *engine) read(o *opening) {
	for range batch {
		a, err := o.inbox.receive(e.buffer[:])
		if err != nil {
			return // nothing, or nothing that can be helped
		}
		e.take(o, a, e.buffer[:a.length])
	}
	token(e.comeC) // there may be more
}

// work does what is due: detection first, then packets, then sockets.
func (e *engine) work(now time.Time) {
	for s, ok := e.queue.First(); ok; s, ok = e.queue.First() {
		soon := now.Add(s.slack())
		if s.due.After(soon) {
			break
		}
		e.expire(s, now)
		if at, ok := s.next(); ok && !at.After(soon) {
			e.transmit(s, now)
		}
		if e.reschedule(s); s.Placed() && !s.due.After(soon) {
			break // again after a look at what has come
		}
	}
	if !e.retry.IsZero() && !now.Before(e.retry) {
		e.reopen(now)
	}
}

// expire ends a session if its peer has been silent for too long. What has come
// has been taken.
func (e *engine) expire(s *session, now time.Time) {
	before := s.state
	late := e.stalls.worst(s.received)
	if !s.expire(now) {
		return
	}
	s.late = late
	e.dirty = true
	e.changed(s, before)
}

// transmit sends the packet of s that is due.
func (e *engine) transmit(s *session, now time.Time) {
	e.send(s, false, now)
	s.transmitted(now, rand.Float64())
}

// send sends a packet of s, if there is a way.
func (e *engine) send(s *session, final bool, now time.Time) {
	if e.doors[s.door].inbox == nil {
		return // the answer would reach somebody else
	}
	if s.outbox == nil && !e.dial(s, now) {
		return
	}
	p := s.packet(final)
	e.out = p.appendTo(e.out[:0])
	err := s.outbox.send(e.out)
	if err == nil {
		s.counters.sent.Inc()
		if !errors.Is(s.err, errRefused) { // true until the peer is heard
			e.fault(s, nil)
		}
		return
	}
	s.counters.failed.Inc()
	e.fault(s, err)
	if now.Sub(s.dialed) >= retryInterval {
		e.dial(s, now) // an address or an interface may have been replaced
	}
}

// changed follows a change of the state of s, if there was one.
func (e *engine) changed(s *session, before State) {
	if s.state == before {
		return
	}
	e.dirty, e.tell = true, true
	e.metrics.transition(s)
	l := e.config.Logger
	name := s.wish.label()
	switch {
	case s.state == Up:
		level.Info(l).Log("msg", "bfd session up", "peer", name, "duration", s.detection())
	case before == Up && s.diagnostic == DetectionTimeExpired:
		level.Warn(l).Log("msg", "bfd session down", "peer", name, "reason", s.diagnostic, "duration", s.since.Sub(s.received))
	case before == Up:
		level.Warn(l).Log("msg", "bfd session down", "peer", name, "reason", s.diagnostic)
	}
}

// reschedule puts s where it belongs in the queue.
func (e *engine) reschedule(s *session) {
	due, ok := s.wake()
	s.due = due
	if !ok {
		e.queue.Take(s)
		return
	}
	e.queue.Put(s)
}

// arm sets the timer to what is due next.
func (e *engine) arm() {
	at := e.retry
	if s, ok := e.queue.First(); ok && (at.IsZero() || s.due.Before(at)) {
		at = s.due
	}
	e.armed = at
	if at.IsZero() {
		e.timer.Stop()
		return
	}
	now := time.Now()
	if at.Before(now) {
		e.armed = now
	}
	e.stalls.note(now, now.Sub(e.woke))
	e.timer.Reset(at.Sub(now))
}

// publish makes what Status returns true, and reports a change.
func (e *engine) publish() {
	if !e.dirty {
		return
	}
	e.dirty = false
	view := make([]seen, 0, len(e.sessions))
	for _, s := range e.sessions {
		view = append(view, seen{key: s.key, status: e.status(s), received: s.heard})
		s.counters.detection.Set(s.detection().Seconds())
	}
	slices.SortFunc(view, func(a, b seen) int { return a.compare(b) })
	e.view.Store(&view)
	if e.tell {
		e.tell = false
		token(e.changedC)
	}
}

// end stops all sessions, and waits for what run began.
func (e *engine) end(now time.Time) {
	for _, s := range e.sessions {
		e.remove(s, now)
	}
	e.publish()
	for at := range e.doors {
		e.shut(at)
	}
	e.watchers.Wait()
}
