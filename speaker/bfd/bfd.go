package bfd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
)

// The ports of RFC 5881 section 4 and RFC 5883 section 5.
const (
	DefaultPort         = 3784
	DefaultMultihopPort = 4784
)

// Config is what a Manager is made of. Everything in it may be zero.
type Config struct {
	// Node is the name of this node, for logs.
	Node string
	// Port is where single hop packets are received and sent to, DefaultPort if
	// zero; MultihopPort is that of multihop ones. Both ends must agree.
	Port, MultihopPort uint16

	Logger     log.Logger
	Registerer prometheus.Registerer
}

// A Session is a wish to know whether the path to a peer works. Local, Remote,
// Interface and Multihop tell sessions apart; the rest may change while a
// session goes on.
type Session struct {
	// Name is what logs and metrics call the peer; Remote if empty.
	Name string
	// Local is the address that we send from, and that the peer must send to.
	// If it is not valid the kernel chooses, and any is taken.
	Local netip.Addr
	// Remote is the address of the peer, with a zone if it is link-local and
	// there is no Interface.
	Remote netip.Addr
	// Interface restricts the session to one network interface; it may be empty.
	// Packets of a multihop session go out through it, which may be a VRF, and come
	// in through any.
	Interface string
	// Multihop is set for a peer that is not on a network of ours (RFC 5883).
	Multihop bool
	Profile  Profile
}

// A Profile is how a session behaves. Zero fields take the values of
// DefaultProfile.
type Profile struct {
	// Transmit and Receive are the intervals at which we want to send and are
	// able to receive; each end may ask the other to send less often.
	Transmit, Receive time.Duration
	// Multiplier is how many packets in a row the peer may miss.
	Multiplier uint8
	// Passive sessions send nothing until the peer has been heard.
	Passive bool
	// MinimumTTL is what the TTL or hop limit of a multihop packet must be at
	// least. For a single hop it must always be 255 (RFC 5881 section 5).
	MinimumTTL uint8
}

// DefaultProfile detects a dead path in 900 ms.
var DefaultProfile = Profile{
	Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, Multiplier: 3, MinimumTTL: 1,
}

// A State is that of a session (RFC 5880 section 6.2).
type State uint8

// The states of a session.
const (
	AdminDown State = iota + 1
	Down
	Init
	Up
)

// A Diagnostic is why a session went down (RFC 5880 section 4.1).
type Diagnostic uint8

// The diagnostics. Zero is none.
const (
	DetectionTimeExpired Diagnostic = iota + 1
	EchoFailed
	NeighborDown
	ForwardingReset
	PathDown
	ConcatenatedPathDown
	AdministrativelyDown
	ReverseConcatenatedPathDown
)

// A Status is a session as it is. It is a copy.
type Status struct {
	Session Session
	// Discriminator is ours. Another one than before means another session with
	// the same peer, which knows nothing of the one before.
	Discriminator uint32

	// State is ours, RemoteState that which the peer told last, or zero if it
	// has told none lately.
	State, RemoteState State
	// Diagnostic is why the session is not up, if it was; RemoteDiagnostic is
	// what the peer says.
	Diagnostic, RemoteDiagnostic Diagnostic
	// Since is when State began.
	Since time.Time

	// Transmit is the interval at which we send now, before jitter; Detection is
	// how long the peer may be silent now, or zero before it was heard.
	Transmit, Detection time.Duration
	// LastReceived is when the last valid packet of the session came.
	LastReceived time.Time
	// Late is for a session that is Down because the detection time expired: by
	// how much our own clockwork was late at most since LastReceived. If that is
	// more than a fraction of Detection, it was perhaps not the peer that stood
	// still but this process or machine.
	Late time.Duration
	// Error is why packets cannot be received or sent at present, or nil. It is
	// tried again every second.
	Error error
}

// A Manager keeps sessions with peers. Its methods may be called from any
// goroutine.
type Manager struct {
	*shared
}

// errEnded is what a call after the end of Start gets.
var errEnded = errors.New("bfd has ended")

// New returns a Manager without sessions, which does nothing until Start.
func New(c Config) *Manager { return newManager(c, host{}) }

// Start serves until ctx ends; then every peer is told that its session is
// administratively down, unless Hush was called, every socket is closed, and it
// returns nil. It is called once.
func (m *Manager) Start(ctx context.Context) error {
	defer m.requests.End()
	return newEngine(m.shared).run(ctx)
}

// Set makes want the set of sessions. Sessions that are there already go on, a
// changed Profile is negotiated without a flap; for one that is not wanted any
// more the peer is told once that it is administratively down. It waits for
// Start. What is wrong with a session, or with a port that cannot be bound, is
// an error; every other session is served, and what could work later is tried
// again every second. When ctx ends first, the set may still be applied.
func (m *Manager) Set(ctx context.Context, want []Session) error {
	return m.requests.Do(ctx, func(e *engine) error { return e.set(want, time.Now()) })
}

// Status returns the sessions, sorted by Remote, Local, Interface and Multihop.
func (m *Manager) Status() []Status { return m.status() }

// Changed returns a channel, always the same, that holds a token after the
// state or the Error of a session has changed, or a peer that was silent is heard
// again.
func (m *Manager) Changed() <-chan struct{} { return m.changedC }

// Hush has all sessions end without a word, when Start ends as well as when Set
// removes them. It is for a restart that peers should not see: a peer that is
// told AdminDown gives up the routes that graceful restart would keep. It may be
// called at any time, and cannot be undone.
func (m *Manager) Hush() { m.hushed.Store(true) }

// String implements fmt.Stringer.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// String implements fmt.Stringer.
func (d Diagnostic) String() string {
	switch d {
	case 0:
		return ""
	case DetectionTimeExpired:
		return "DetectionTimeExpired"
	case EchoFailed:
		return "EchoFailed"
	case NeighborDown:
		return "NeighborDown"
	case ForwardingReset:
		return "ForwardingReset"
	case PathDown:
		return "PathDown"
	case ConcatenatedPathDown:
		return "ConcatenatedPathDown"
	case AdministrativelyDown:
		return "AdministrativelyDown"
	case ReverseConcatenatedPathDown:
		return "ReverseConcatenatedPathDown"
	default:
		return fmt.Sprintf("Diagnostic(%d)", uint8(d))
	}
}
