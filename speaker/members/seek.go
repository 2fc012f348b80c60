package members

import (
	"context"
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
	gone     map[string]time.Time // since when nodes with records are no members

	joinsC  chan struct{} // holds a token for each join in progress
	triedC  chan tried
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
	asks  int       // tries that ended while it was alive
	heard bool      // what it knows has been heard, at a try
	late  bool      // missing for long, which has been logged
}

// newSeeker returns a seeker that has found nobody.
func newSeeker(l *List, m *memberlist.Memberlist, r *ring) *seeker {
	return &seeker{
		list: l, m: m, ring: r,
		searches: map[string]*search{},
		gone:     map[string]time.Time{},
		joinsC:   make(chan struct{}, maxJoins),
		triedC:   make(chan tried),
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
			t.search.heard = t.search.heard || t.heard
			if s.list.Present()[t.peer.Node] {
				t.asks++
			}
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
	s.bury(alive, now)
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
			if !s.unheard(t) {
				continue
			}
		} else {
			missing++
			s.miss(t, now)
		}
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

// unheard reports whether a peer is still to be asked for what it knows, which
// is alive because others told of it, or it called itself.
func (s *seeker) unheard(t *search) bool {
	return !s.settled && !s.list.synced.Load() && !t.heard && t.asks < maxAsks
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
// or, as long as nobody has told what the others know, as often as the pace
// says. And if nobody has, each of those alive must have been asked in vain.
func (s *seeker) settle(alive map[string]bool) {
	if s.settled {
		return
	}
	enough := s.list.pace.firstTries
	if s.list.synced.Load() {
		enough = 1
	}
	for _, t := range s.searches {
		if up := alive[t.peer.Node]; !up && t.tries < enough || up && s.unheard(t) {
			return
		}
	}
	s.settled = true
	s.list.book.settle()
	close(s.list.settledC)
}

// earlier returns the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
