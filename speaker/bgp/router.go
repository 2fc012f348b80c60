package bgp

import (
	"net/netip"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// A Router makes sessions. Package gobgp has the real one.
type Router interface {
	// Open starts a session that connects by itself, and again after it was
	// lost, until it is closed. It announces paths as soon as it is established,
	// before the end-of-RIB marker (RFC 4724). Events are told to notify, one at
	// a time and in order, until Close has returned; notify must not block.
	Open(n Neighbor, paths []Path, notify func(Event)) (Session, error)
}

// A Session is one with a neighbor. Its methods may be called from one goroutine
// at a time. They do not wait until the neighbor has heard; but Announce and
// Withdraw may wait, for two seconds at most, until earlier changes are on their
// way to it.
type Session interface {
	// Announce announces paths, each in the place of an earlier one of its prefix.
	// The same path again sends nothing.
	Announce(paths []Path) error
	// Withdraw takes prefixes back.
	Withdraw(prefixes []netip.Prefix) error
	// Reset drops the connection, at once, for a reason that the last error then
	// tells, and goes on trying. The neighbor's routes are gone with it unless
	// graceful restart was negotiated.
	Reset(reason string) error
	// Close ends the session for good, as farewell says. It gives the neighbor less
	// than a second to take a last word.
	Close(farewell Farewell) error
}

// Farewell is how a session ends; zero means not set.
type Farewell int

// The ways to end a session.
const (
	// Cease tells the neighbor, which drops all routes (RFC 4486: Administrative
	// Shutdown).
	Cease Farewell = iota + 1
	// Keep ends the connection without a word: a neighbor that negotiated
	// graceful restart keeps the routes for a while (RFC 4724 section 4).
	Keep
)

// A Neighbor is the other end of a session, and how to talk to it.
type Neighbor struct {
	// Name is that of the BGPPeer.
	Name           string
	MyASN, PeerASN uint32 // PeerASN is zero when Dynamic is set
	Dynamic        config.DynamicASN
	// Address has a zone when it is link-local.
	Address netip.Addr
	Port    uint16
	// Source is the local address; invalid for the kernel's choice.
	Source   netip.Addr
	RouterID netip.Addr
	// Times are whole seconds. HoldTime may be zero: for ever.
	HoldTime, KeepaliveTime, ConnectTime time.Duration
	Password                             string
	MultiHop, TTLSecurity                bool
	VRF                                  string
	GracefulRestart                      bool
	// ExtendedNextHop is set when IPv4 prefixes have IPv6 next hops (RFC 8950). Then
	// IPv4 is agreed upon only with a neighbor that takes them.
	ExtendedNextHop bool
}

// A Path is a prefix as it is announced to one neighbor.
type Path struct {
	Prefix     netip.Prefix
	NextHop    netip.Addr
	Attributes desired.Attributes
}

// An Event is a change of a session.
type Event struct {
	At    time.Time
	State State
	// Reason is why the session went down or does not come up, in words; empty
	// when that is not known or it is established.
	Reason string
	// What follows is of an established session.
	Established Established
}

// Established is what two ends of a session have agreed upon.
type Established struct {
	// Local is the address of this end.
	Local         netip.Addr
	PeerASN       uint32
	PeerRouterID  netip.Addr
	HoldTime      time.Duration
	KeepaliveTime time.Duration
	// GracefulRestart is for how long the neighbor keeps routes; zero when it was
	// not negotiated.
	GracefulRestart time.Duration
	// IPv4 and IPv6 tell which unicast families were agreed upon.
	IPv4, IPv6 bool
}

// State is that of a session (RFC 4271 section 8.2.2); zero means not set.
type State int

// The states.
const (
	Idle State = iota + 1
	Connect
	Active
	OpenSent
	OpenConfirm
	EstablishedState
)

// String returns the state as RFC 4271 calls it.
func (s State) String() string {
	switch s {
	case Idle:
		return "Idle"
	case Connect:
		return "Connect"
	case Active:
		return "Active"
	case OpenSent:
		return "OpenSent"
	case OpenConfirm:
		return "OpenConfirm"
	case EstablishedState:
		return "Established"
	default:
		return "unset"
	}
}
