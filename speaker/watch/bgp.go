package watch

import (
	"context"
	"net/netip"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// BGP announces prefixes to routers. Its methods may be called from any
// goroutine.
type BGP interface {
	// Set makes want the sessions and routes. It does not wait until routers have
	// heard, but may wait a while, with a bound, for earlier changes to be sent.
	Set(ctx context.Context, want desired.BGP) error
	// Sessions returns the sessions as they are, by name of the peer.
	Sessions() []BGPSession
	// Changed gets a token when Sessions has changed by itself.
	Changed() <-chan struct{}
	// Leave ends all sessions, and waits for that until ctx ends. With keep,
	// routers that negotiated graceful restart keep the routes; otherwise the
	// preference is lowered (RFC 8326), the routes are withdrawn, and then the
	// sessions closed. Set is not called after it.
	Leave(ctx context.Context, keep bool) error
}

// A BGPSession is a session as it is.
type BGPSession struct {
	// Peer is the name of the BGPPeer, and Address that of the router; it is
	// invalid while that of an unnumbered one is unknown.
	Peer    string
	Address netip.Addr
	// State is the one of RFC 4271; see established.
	State string
	Since time.Time
	// LastError is why the session last went down, or does not come up.
	LastError    string
	PrefixesSent int
	// BFD is nil when the session is not watched.
	BFD *BFDSession
}

// A BFDSession is what watches the router of a BGPSession.
type BFDSession struct {
	// Profile is the name of the BFDProfile, State the one of RFC 5880.
	Profile, State string
	Since          time.Time
	// Diagnostic is that of the last change of state.
	Diagnostic string
	// Transmit, Receive and Detection are the times agreed upon with the router.
	Transmit, Receive, Detection time.Duration
}

// established is the state of a session on which routes are exchanged.
const established = "Established"

// speakEarly does what a pass does for BGP as long as the other speakers have
// not been looked for. A node speaks for itself alone, so nothing is lost by it;
// and a router that kept the routes over a restart would drop those that are not
// announced again when the session is up.
func (w *World) speakEarly(ctx context.Context, hosts []host, now time.Time) error {
	if w.BGP == nil {
		return nil
	}
	state := desired.ComputeBGP(w.input(hosts, w.Members.Alive(), now))
	return w.speak(ctx, &state)
}

// speak has the routers hear what has been decided, and logs what is new. Nothing
// is said before the configuration has been read: that there is nothing to
// announce would be wrong.
func (w *World) speak(ctx context.Context, state *desired.State) error {
	if w.BGP == nil || w.config == nil {
		return nil
	}
	err := w.BGP.Set(ctx, state.BGP)
	w.logRoutes(state)
	w.told = state.BGP
	return err
}

// sessions returns the sessions as they are.
func (w *World) sessions() []BGPSession {
	if w.BGP == nil {
		return nil
	}
	return w.BGP.Sessions()
}

// followRouters tells of sessions that change by themselves, until ctx ends. It
// takes no pass: nothing that is decided depends on them.
func (w *World) followRouters(ctx context.Context) error {
	if w.BGP == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.BGP.Changed():
			w.reportSessions()
		}
	}
}

// reportSessions hands the last report with the sessions as they are to the
// publisher.
func (w *World) reportSessions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.publisher.latest.Load()
	if last == nil || w.drained {
		return // a pass will tell, or nobody any more
	}
	r := *last
	r.speak(w.BGP.Sessions())
	w.publisher.publish(&r)
}
