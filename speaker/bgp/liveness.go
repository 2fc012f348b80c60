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
	was     bfd.State
	since   time.Time // since when the session is held down; zero if it is not
	reason  string    // why
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

// follow takes the state of the BFD session, and reports whether the BGP session
// must end.
func (l *liveness) follow(s bfd.Status, now time.Time) (failed bool) {
	before := l.was
	l.was = s.State
	switch {
	case s.State == bfd.Up, s.State == bfd.AdminDown, s.RemoteState == bfd.AdminDown:
		l.since = time.Time{}
	case before == bfd.Up:
		l.since = now
		l.reason = "BFD session down"
		if s.Diagnostic != 0 {
			l.reason += ": " + s.Diagnostic.String()
		}
		return true
	}
	return false
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

// detected follows what the detector has to tell.
func (e *engine) detected() {
	now := time.Now()
	for _, s := range e.config.Detector.Status() {
		p := e.peers[s.Session.Name]
		if p == nil || !p.liveness.wanted || identity(s.Session) != identity(p.liveness.session) {
			continue
		}
		if p.liveness.follow(s, now) && p.session != nil && e.leaving == nil {
			e.reset(p, p.liveness.reason)
			e.close(p, Cease, p.liveness.reason)
		}
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

// watched returns what callers see of the BFD session of a peer.
func (p *peer) watched(all []bfd.Status) *BFDStatus {
	if p.config.BFD == nil {
		return nil
	}
	out := &BFDStatus{Profile: p.config.BFD.Name, State: bfd.Down.String(), Receive: p.config.BFD.ReceiveInterval}
	for _, s := range all {
		if !p.liveness.wanted || identity(s.Session) != identity(p.liveness.session) {
			continue
		}
		out.State, out.Since, out.Diagnostic = s.State.String(), s.Since, s.Diagnostic.String()
		out.Transmit, out.Detection = s.Transmit, s.Detection
		if s.Error != nil {
			out.Diagnostic = s.Error.Error()
		}
	}
	return out
}
