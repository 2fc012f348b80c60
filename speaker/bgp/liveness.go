package bgp

import (
	"context"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/bfd"
)

// A liveness is what BFD says of the path to a router, and what follows from it
// for the BGP session (RFC 5882):
//
//   - A session may come up while BFD is not up yet: many routers begin BFD only
//     after BGP is established (section 4.1).
//   - When BFD goes down after it was up, the session ends at once (section 4.2).
//     It is not tried again before BFD is up, since both ends are known to speak
//     it, but for patience at most: then the first rule holds again.
//   - AdminDown of either end says nothing about the path, and nothing follows
//     from it: BGP has its own hold timer (section 3.2).
type liveness struct {
	wanted  bool
	session bfd.Session // valid if wanted
	since   time.Time   // since when the session is held down; zero if it is not
	reason  string      // why
}

// patience is how long a session is held down by BFD alone.
const patience = 5 * time.Second

// held reports whether there must be no BGP session now.
func (l *liveness) held() bool { return !l.since.IsZero() }

// until returns when the session is not held down any more; zero if it is not.
func (l *liveness) until() time.Time {
	if !l.held() {
		return time.Time{}
	}
	return l.since.Add(patience)
}

// release ends what has lasted long enough.
func (l *liveness) release(now time.Time) {
	if l.held() && !now.Before(l.until()) {
		l.since = time.Time{}
	}
}

// A judgment is what a change of a BFD session says of the path.
type judgment int

const (
	pathUnknown judgment = iota
	// pathTrusted: nothing speaks against a BGP session.
	pathTrusted
	// pathDead: it worked, and does not any more.
	pathDead
	// pathBroken: it worked, did not, and does again.
	pathBroken
)

// judge judges a BFD session by how it was seen before.
func judge(before watch, s bfd.Status) judgment {
	switch {
	case s.State == bfd.Up && before.state == bfd.Up && !s.Since.Equal(before.since):
		return pathBroken
	case s.State == bfd.Up, s.State == bfd.AdminDown, s.RemoteState == bfd.AdminDown:
		return pathTrusted
	case before.state == bfd.Up:
		return pathDead
	default:
		return pathUnknown
	}
}

// pathReason is why a path is dead.
func pathReason(s bfd.Status) string {
	if s.Diagnostic == 0 {
		return "BFD session down"
	}
	return "BFD session down: " + s.Diagnostic.String()
}

// wish takes the BFD session that there should be. Another one than before knows
// nothing yet; other timers are no other session.
func (l *liveness) wish(s bfd.Session, wanted bool) {
	if identity(s) != identity(l.session) || wanted != l.wanted {
		*l = liveness{}
	}
	l.session, l.wanted = s, wanted
}

// identity is what tells BFD sessions apart.
func identity(s bfd.Session) bfd.Session {
	s.Profile = bfd.Profile{}
	return s
}

// failed follows the end of a session that the guard has reset.
func (e *engine) failed(name string, w ward, reason string, at time.Time) {
	p := e.peers[name]
	if p == nil || p.config == nil || e.leaving != nil || identity(p.liveness.session) != w.identity {
		return
	}
	if p.session == nil && !p.liveness.held() {
		return // a router may end BFD because BGP has ended
	}
	p.liveness.since, p.liveness.reason = at, reason
	if p.session != nil {
		e.enter(p, Event{At: at, State: Idle, Reason: reason}, level.Warn)
		e.close(p, Cease, reason)
	}
}

// trusted ends the time that a session is held down.
func (e *engine) trusted(name string, id bfd.Session) {
	if p := e.peers[name]; p != nil && identity(p.liveness.session) == id {
		p.liveness.since = time.Time{}
	}
}

// watch has the detector watch the routers that are to be watched.
func (e *engine) watch(ctx context.Context) {
	var want []bfd.Session
	for _, p := range e.ordered() {
		if p.config == nil {
			continue
		}
		s, ok := bfdSession(p.config, p.site)
		p.liveness.wish(s, ok)
		if ok {
			want = append(want, s)
		}
	}
	if slices.Equal(want, e.watching) {
		return
	}
	e.watching = want
	if err := e.config.Detector.Set(ctx, want); err != nil {
		// It tries again by itself, and the status of each session tells.
		level.Warn(e.config.Logger).Log("msg", "routers not watched", "error", err)
	}
}
