package bgp

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/bfd"
)

// A line is a Session for two goroutines, of which one at a time is served: the
// owner of the state, and one that resets it because BFD says so.
type line struct {
	mu      sync.Mutex
	session Session
	closed  bool
}

func (l *line) announce(paths []Path) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session.Announce(paths)
}

func (l *line) withdraw(prefixes []netip.Prefix) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session.Withdraw(prefixes)
}

// reset does nothing when the session is closed.
func (l *line) reset(reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.session.Reset(reason)
}

func (l *line) close(f Farewell) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.session.Close(f)
}

// A ward is what a guard knows of a peer.
type ward struct {
	identity bfd.Session
	line     *line // nil when there is no session
}

// A guard ends sessions when BFD says that the path is dead. It has a goroutine
// of its own, so that nothing that another session is busy with can delay that.
type guard struct {
	*Announcer
	was map[string]watch
}

// A watch is what a guard saw last of a BFD session.
type watch struct {
	identity      bfd.Session
	discriminator uint32
	state         bfd.State
	since         time.Time // of the state
}

// run guards until ctx ends.
func (g *guard) run(ctx context.Context, going *sync.WaitGroup) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.config.Detector.Changed():
			g.look(going)
		}
	}
}

// look judges every BFD session.
func (g *guard) look(going *sync.WaitGroup) {
	wards := *g.wards.Load()
	now := time.Now()
	seen := map[string]watch{}
	for _, s := range g.config.Detector.Status() {
		name, id := s.Session.Name, identity(s.Session)
		before := g.was[name]
		if before.identity != id || before.discriminator != s.Discriminator {
			before = watch{}
		}
		seen[name] = watch{id, s.Discriminator, s.State, s.Since}
		w := wards[name]
		if w.identity != id {
			continue
		}
		switch judge(before, s) {
		case pathDead:
			going.Go(func() { g.fail(name, w, pathReason(s), now) })
		case pathBroken:
			going.Go(func() {
				g.fail(name, w, pathReason(s), now)
				g.trust(name, id)
			})
		case pathTrusted:
			g.trust(name, id)
		case pathUnknown:
		}
	}
	g.was = seen
	g.mail.put(func(context.Context, *engine) {}) // for what is published
}

// fail ends a session at once, and then has its owner know.
func (g *guard) fail(name string, w ward, reason string, now time.Time) {
	if w.line != nil {
		if err := w.line.reset(reason); err != nil {
			level.Warn(g.config.Logger).Log("msg", "bgp session not reset", "peer", name, "error", err)
		}
	}
	g.mail.put(func(_ context.Context, e *engine) { e.failed(name, w, reason, now) })
}

// trust has the owner of a session know that nothing speaks against it.
func (g *guard) trust(name string, id bfd.Session) {
	g.mail.put(func(_ context.Context, e *engine) { e.trusted(name, id) })
}

// ward tells the guard whom to guard, if that has changed.
func (e *engine) ward() {
	next := map[string]ward{}
	for _, p := range e.peers {
		if p.liveness.wanted && p.config != nil {
			next[p.name] = ward{identity(p.liveness.session), p.session}
		}
	}
	if !maps.Equal(next, *e.wards.Load()) {
		e.wards.Store(&next)
	}
}
