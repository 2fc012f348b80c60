package gobgp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bgp"
)

// hear takes in what the router says, until it ends, and says why it did.
func (g *gate) hear() string {
	r := newReader(g.router)
	_ = g.router.SetReadDeadline(time.Now().Add(openWithin))
	for {
		kind, length, err := r.next()
		if err == nil {
			err = g.take(r, kind, length)
		}
		if err != nil {
			return g.farewell(err)
		}
	}
}

// farewell tells the router what is wrong, if it is its fault, and returns it in
// words.
func (g *gate) farewell(err error) string {
	if said, ok := errors.AsType[notified](err); ok {
		return "the router says: " + words(said)
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Sprintf("the router took the connection, but has not completed the session within %s", openWithin)
		}
		return streamReason(err)
	}
	_ = g.tell(notification(f.code, f.subcode, f.data...))
	return fmt.Sprintf("%s; the router was told: %s", f.words, words([]byte{f.code, f.subcode}))
}

// notified is the body of a NOTIFICATION that the router sent.
type notified []byte

func (n notified) Error() string { return words(n) }

// take takes in one message of the router.
func (g *gate) take(r *reader, kind byte, length int) error {
	switch {
	case kind == typeNotification:
		b, err := r.body(length)
		if err != nil {
			return err
		}
		return notified(b)
	case kind == typeOpen && g.state == bgp.OpenSent:
		b, err := r.body(length)
		if err != nil {
			return err
		}
		return g.takeOpen(b)
	case kind == typeKeepalive && g.state == bgp.OpenConfirm:
		return g.establish()
	case kind == typeKeepalive && g.state == bgp.EstablishedState:
		return g.alive()
	case kind == typeUpdate && g.state == bgp.EstablishedState:
		// Routes are not used, whatever they are, so nothing in them matters.
		if err := r.skip(length); err != nil {
			return err
		}
		return g.alive()
	case kind == typeRefresh && g.state == bgp.EstablishedState:
		b, err := r.body(length)
		if err != nil {
			return err
		}
		return g.takeRefresh(b)
	}
	subcode := byte(g.state - bgp.OpenSent + 1) // RFC 6608
	return &fault{code: 5, subcode: subcode, words: fmt.Sprintf("the router sent a message of type %d in state %v", kind, g.state)}
}

// takeOpen judges the router's OPEN and tells the library what matters of it.
func (g *gate) takeOpen(b []byte) error {
	o, err := parseOpen(b)
	if err != nil {
		return err
	}
	if err := g.rightASN(o.asn); err != nil {
		return err
	}
	if err := g.commonFamilies(&o); err != nil {
		return err
	}
	agreed := g.agree(o)
	g.agreed.Store(&agreed)
	g.state = bgp.OpenConfirm
	g.report(bgp.OpenConfirm, bgp.Established{})
	told := o
	told.hold = uint16(agreed.HoldTime / time.Second)
	told.refresh, told.restart = true, true
	return g.toLibrary(told.marshal())
}

// commonFamilies leaves those families in a router's OPEN that this node can send:
// over an unnumbered session all next hops are IPv6, which the router must be able
// to take for IPv4 prefixes (RFC 8950 section 4).
func (g *gate) commonFamilies(o *open) error {
	if !o.ipv4 && !o.ipv6 {
		return &fault{code: 2, subcode: 7, words: "the router has neither IPv4 nor IPv6 unicast"}
	}
	if !g.offer.extendedNextHop || o.extendedNextHop {
		return nil
	}
	o.ipv4 = false
	if !o.ipv6 {
		wants := append([]byte{capExtendedNextHop, byte(len(extendedNextHop))}, extendedNextHop...)
		return &fault{code: 2, subcode: 7, data: wants, words: "the router has IPv4 unicast alone, and takes no IPv6 next hops for it (RFC 8950)"}
	}
	return nil
}

// rightASN judges the router's ASN.
func (g *gate) rightASN(asn uint32) error {
	mine := g.n.MyASN
	f := &fault{code: 2, subcode: 2}
	switch {
	case g.n.Dynamic == config.DynamicInternal && asn != mine:
		f.words = fmt.Sprintf("wrong ASN: the router has %d, this node %d, and dynamicASN internal wants them equal", asn, mine)
	case g.n.Dynamic == config.DynamicExternal && asn == mine:
		f.words = fmt.Sprintf("wrong ASN: both have %d, and dynamicASN external wants another one", asn)
	case g.n.Dynamic == config.DynamicNone && asn != g.n.PeerASN:
		f.words = fmt.Sprintf("wrong ASN: the router has %d, peerASN is %d", asn, g.n.PeerASN)
	default:
		return nil
	}
	return f
}

// agree works out what both ends have agreed upon.
func (g *gate) agree(o open) bgp.Established {
	e := bgp.Established{
		PeerASN: o.asn, PeerRouterID: o.id,
		HoldTime: g.n.HoldTime, KeepaliveTime: g.n.KeepaliveTime,
		IPv4: o.ipv4, IPv6: o.ipv6,
	}
	if a, ok := g.router.LocalAddr().(*net.TCPAddr); ok {
		e.Local = a.AddrPort().Addr().Unmap().WithZone(g.n.Address.Zone())
	}
	if theirs := time.Duration(o.hold) * time.Second; theirs < e.HoldTime {
		e.HoldTime, e.KeepaliveTime = theirs, (theirs / 3).Truncate(time.Second)
	}
	if g.offer.restart && o.restart {
		e.GracefulRestart = restartTime * time.Second
	}
	return e
}

// establish tells the library that the session is up.
func (g *gate) establish() error {
	agreed := g.agreed.Load()
	g.opening.take(families(*agreed))
	g.flight.begin(agreed.IPv4, agreed.IPv6)
	g.told = time.Now()
	if err := g.toLibrary(message(typeKeepalive)); err != nil {
		return err
	}
	_ = g.router.SetReadDeadline(time.Time{})
	g.state = bgp.EstablishedState
	g.report(bgp.EstablishedState, *agreed)
	return nil
}

// families returns how many were agreed upon.
func families(e bgp.Established) int {
	if e.IPv4 && e.IPv6 {
		return 2
	}
	return 1
}

// alive tells the library now and then that the router lives.
func (g *gate) alive() error {
	now := time.Now()
	for afi := range g.again {
		if g.again[afi] && now.Sub(g.refreshed[afi]) >= refreshEvery {
			if err := g.refresh(byte(afi)); err != nil {
				return err
			}
		}
	}
	if now.Sub(g.told) < aliveEvery {
		return nil
	}
	g.told = now
	return g.toLibrary(message(typeKeepalive))
}

// toLibrary sends a message to the library.
func (g *gate) toLibrary(b []byte) error {
	_ = g.library.SetWriteDeadline(time.Now().Add(patience))
	_, err := g.library.Write(b)
	return err
}

// takeRefresh takes in a ROUTE-REFRESH (RFC 2918). Requests of one family that
// come faster than once a second are one.
func (g *gate) takeRefresh(b []byte) error {
	agreed := g.agreed.Load()
	// The library does not answer for a family that was not agreed upon.
	ours := len(b) == 4 && (b[1] == afiIPv4 && agreed.IPv4 || b[1] == afiIPv6 && agreed.IPv6)
	if ours && b[0] == 0 && b[2] == 0 && b[3] == safiUnicast {
		g.again[b[1]] = true
	}
	return g.alive()
}

// refresh has the library send its routes of a family again.
func (g *gate) refresh(afi byte) error {
	g.again[afi], g.refreshed[afi] = false, time.Now()
	g.opening.take(1)
	return g.toLibrary(message(typeRefresh, 0, afi, 0, safiUnicast))
}
