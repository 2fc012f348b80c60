package members

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	"github.com/hashicorp/memberlist"
)

// A seeker owns what a List does over time: it keeps Alive and the keys up to
// date and looks for peers that are missing. All but try runs in one goroutine.
type seeker struct {
	list *List
	m    *memberlist.Memberlist
	ring *ring

	searches map[string]*search // by node, of every peer but this one
	settled  bool

	joinsC  chan struct{} // holds a token for each join in progress
	triedC  chan *search
	tries   sync.WaitGroup
	missing int // what the metric says
}

// A search is for one peer.
type search struct {
	peer Peer
	// since is when the peer was first missing; zero while it is alive.
	since time.Time
	next  time.Time // not to be tried before
	tries int       // that have ended, since it was told of
	busy  bool      // being tried
	late  bool      // missing for long, which has been logged
}

// newSeeker returns a seeker that has found nobody.
func newSeeker(l *List, m *memberlist.Memberlist, r *ring) *seeker {
	return &seeker{
		list: l, m: m, ring: r,
		searches: map[string]*search{},
		joinsC:   make(chan struct{}, maxJoins),
		triedC:   make(chan *search),
	}
}

// run keeps everything up to date until ctx ends. Tries may still be under way
// when it returns.
func (s *seeker) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.list.wakeC:
		case t := <-s.triedC:
			t.busy = false
			t.tries++
		case <-timer.C:
		}
		timer.Stop()
		now := time.Now()
		if next := s.pass(ctx, now); !next.IsZero() {
			timer.Reset(next.Sub(now))
		}
	}
}

// pass does what is due and returns when something will be; zero is never.
func (s *seeker) pass(ctx context.Context, now time.Time) (next time.Time) {
	alive := aliveOf(s.m)
	s.list.publish(alive)
	w := s.list.wanted()
	next, used := s.ring.advance(now, *w.key)
	if used {
		level.Info(s.list.logger).Log("msg", "gossip key changed")
	}
	if w.told {
		s.follow(w.peers, now)
		next = earlier(next, s.seek(ctx, alive, now))
		s.settle(alive)
	}
	return next
}

// follow makes the searches those for the given peers.
func (s *seeker) follow(peers []Peer, now time.Time) {
	named := make(map[string]bool, len(peers))
	for _, p := range peers {
		if p.Node == s.list.config.Node || named[p.Node] || !p.Addr.IsValid() {
			continue
		}
		named[p.Node] = true
		if old := s.searches[p.Node]; old == nil || old.peer != p {
			s.searches[p.Node] = &search{peer: p, next: now}
		}
	}
	for node := range s.searches {
		if !named[node] {
			delete(s.searches, node)
		}
	}
}

// seek tries to reach the peers that are missing and due, and returns when the
// next one will be; zero is never.
func (s *seeker) seek(ctx context.Context, alive map[string]bool, now time.Time) (next time.Time) {
	left, missing := s.list.left.Load(), 0
	for _, t := range s.searches {
		if alive[t.peer.Node] {
			t.since, t.late = time.Time{}, false
			continue
		}
		missing++
		s.miss(t, now)
		switch {
		case left || t.busy:
		case now.Before(t.next):
			next = earlier(next, t.next)
		default:
			t.busy = true
			t.next = now.Add(s.list.pace.after(t))
			s.tries.Go(func() { s.try(ctx, t) })
		}
	}
	if missing != s.missing {
		s.missing = missing
		s.list.metrics.missing.Set(float64(missing))
	}
	return next
}

// miss takes note of a peer that is missing.
func (s *seeker) miss(t *search, now time.Time) {
	if t.since.IsZero() {
		t.since = now
		if t.tries > 0 { // it was alive: let it object first
			t.next = now.Add(s.list.pace.first)
		}
	}
	if !t.late && now.Sub(t.since) > s.list.pace.long {
		t.late = true
		level.Warn(s.list.logger).Log("msg", "speaker is missing, will retry", "node", t.peer.Node, "ip", t.peer.Addr)
	}
}

// after returns how long to wait between a try to reach a peer and the next.
func (p pace) after(t *search) time.Duration {
	switch {
	case t.tries+1 < p.firstTries:
		return p.first
	case t.late:
		return p.late
	default:
		return p.again
	}
}

// settle closes settledC once every peer is alive or has been looked for: once,
// or, as long as nobody else is alive, as often as the pace says.
func (s *seeker) settle(alive map[string]bool) {
	if s.settled {
		return
	}
	enough := s.list.pace.firstTries
	for _, t := range s.searches {
		if alive[t.peer.Node] {
			enough = 1
		}
	}
	for _, t := range s.searches {
		if !alive[t.peer.Node] && t.tries < enough {
			return
		}
	}
	s.settled = true
	close(s.list.settledC)
}

// try reaches for a peer and says when it has.
func (s *seeker) try(ctx context.Context, t *search) {
	s.reach(ctx, t.peer)
	select {
	case s.triedC <- t:
	case <-ctx.Done():
	}
}

// reach sends a ping to a peer and, if it answers and is still missing then,
// exchanges all that is known with it. Silence is what is to be expected of a
// peer that is missing, and not reported.
func (s *seeker) reach(ctx context.Context, p Peer) {
	at := netip.AddrPortFrom(p.Addr, uint16(s.list.config.Port))
	if _, err := s.m.Ping(p.Node, net.UDPAddrFromAddrPort(at)); err != nil {
		return
	}
	select {
	case s.joinsC <- struct{}{}:
		defer func() { <-s.joinsC }()
	case <-ctx.Done():
		return
	}
	if s.list.Alive()[p.Node] || s.list.left.Load() || ctx.Err() != nil {
		return
	}
	if _, err := s.m.Join([]string{p.Node + "/" + at.String()}); err != nil {
		s.list.metrics.joins.WithLabelValues(outcomeFailed).Inc()
		level.Debug(s.list.logger).Log("msg", "speaker not joined, will retry", "node", p.Node, "ip", p.Addr, "error", err)
		return
	}
	s.list.metrics.joins.WithLabelValues(outcomeSucceeded).Inc()
}

// earlier returns the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
