package gobgp

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/heraldlb/herald/speaker/bgp"
)

const (
	// openWithin is for how long a router may keep silent after it took the
	// connection.
	openWithin = 20 * time.Second
	// aliveEvery is how often the library is told at most that the router is alive:
	// its hold timer runs short by that at most.
	aliveEvery = 100 * time.Millisecond
	// refreshEvery is how often a router gets all routes of a family again at most.
	refreshEvery = time.Second
	// patience is for how long a router may take nothing when there is no hold
	// time.
	patience = 90 * time.Second

	afis                               = 3 // address families and zero
	holdTimerCode, ceaseCode, shutdown = 4, 6, 2
)

// A gate passes messages between a router and the library, while there is a
// connection. See the package's documentation.
type gate struct {
	n       bgp.Neighbor
	offer   offer
	router  net.Conn
	library net.Conn
	// said is what the library says.
	said *reader
	// report tells the session's new state.
	report func(bgp.State, bgp.Established)
	// forget has the library end its side.
	forget func()
	// opening is held from before the library may become established, or has to
	// send its routes again, until it has sent them. A path that is added in between
	// may be lost, or be sent before what it replaces.
	opening *hold
	flight  *flight

	ended  sync.Once
	reason string
	gone   chan struct{} // closed when run has ended

	// Of the goroutine that hears the router.
	state     bgp.State
	told      time.Time // when the library was last told that the router lives
	refreshed [afis]time.Time
	again     [afis]bool // a refresh that came too soon after another one

	agreed atomic.Pointer[bgp.Established] // nil before the router's OPEN
}

// run passes messages until one of the ends is gone, and returns why. The
// library's OPEN has been read and is passed on first.
func (g *gate) run(open []byte) string {
	defer close(g.gone)
	b, err := g.offer.apply(open)
	if err == nil {
		err = g.tell(b)
	}
	if err != nil {
		g.end(streamReason(err))
		g.forget()
		_ = g.library.Close()
		return g.reason
	}
	g.state = bgp.OpenSent
	g.report(bgp.OpenSent, bgp.Established{})
	var wg sync.WaitGroup
	wg.Go(func() { g.end(g.speak()) })
	g.end(g.hear())
	// The library ends the connection. When it finds that it was ended, a
	// goroutine of it may be left for ever.
	g.forget()
	wg.Wait()
	_ = g.library.Close()
	g.flight.begin(false, false)
	g.opening.release()
	return g.reason
}

// end closes the connection to the router for a reason. The first one counts.
func (g *gate) end(reason string) {
	g.ended.Do(func() { g.reason = reason })
	_ = g.router.Close()
}

// cease ends the session with a NOTIFICATION, and waits a little for the router
// to have it: closing a connection from which not all was read may lose what was
// sent.
func (g *gate) cease() {
	g.ended.Do(func() { g.reason = closedHere })
	_ = g.router.SetWriteDeadline(time.Now().Add(drainFor)) // also of a write that is stuck
	if _, err := g.router.Write(notification(ceaseCode, shutdown)); err != nil {
		return
	}
	if c, ok := g.router.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}

// tell sends a message to the router.
func (g *gate) tell(b []byte) error {
	within := g.n.HoldTime
	if within == 0 {
		within = patience
	}
	_ = g.router.SetWriteDeadline(time.Now().Add(within))
	_, err := g.router.Write(b)
	return err
}

// speak passes on what the library says, until it ends, and says why it did.
func (g *gate) speak() string {
	for {
		kind, length, err := g.said.next()
		if err != nil {
			return "GoBGP: " + cause(err)
		}
		b, err := g.said.body(length)
		if err != nil {
			return "GoBGP: " + cause(err)
		}
		if kind == typeUpdate {
			g.flight.land(b)
		}
		if kind == typeUpdate && endOfRIB(b) {
			g.opening.marker()
			if !g.offer.restart {
				continue
			}
		}
		if err := g.tell(message(kind, b...)); err != nil {
			return streamReason(err)
		}
		if kind == typeNotification {
			return g.ownReason(b)
		}
	}
}

// ownReason says why the library ended the session.
func (g *gate) ownReason(b []byte) string {
	if b[0] == holdTimerCode && g.agreed.Load() != nil {
		return fmt.Sprintf("hold timer expired: nothing heard from the router for %s", g.agreed.Load().HoldTime)
	}
	return "this end says: " + words(b)
}

// endOfRIB reports whether the body of an UPDATE is an end-of-RIB marker (RFC
// 4724 section 2).
func endOfRIB(b []byte) bool {
	if len(b) == minUpdate-headerLength {
		return true
	}
	// No withdrawn route, one attribute: MP_UNREACH_NLRI with a family alone.
	return len(b) >= 7 && b[0] == 0 && b[1] == 0 && b[5] == 15 && len(b) <= 4+4+3
}
