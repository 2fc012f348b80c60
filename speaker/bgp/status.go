package bgp

import (
	"net/netip"
	"slices"
	"time"
)

// A Status is a session as it is. It is a copy.
type Status struct {
	// Peer is the name of the BGPPeer.
	Peer string
	// Address is the router's; invalid while that of an unnumbered one is not
	// known.
	Address netip.Addr
	State   State
	// Since is when the session came up, or else since when it has not been up.
	Since time.Time
	// LastError is why the session went down last, does not come up, or does not
	// have all prefixes, in words.
	LastError string
	// PrefixesSent is how many prefixes the router has from us now.
	PrefixesSent int
	// BFD is the BFD session with the router; nil if it has none.
	BFD *BFDStatus
}

// A BFDStatus is a BFD session with a router.
type BFDStatus struct {
	// Profile is the name of the BFDProfile.
	Profile string
	// State is called as RFC 5880 does.
	State string
	Since time.Time
	// Diagnostic is why it is not up, or why its packets cannot be sent or
	// received; empty if nothing is known.
	Diagnostic string
	// Transmit is the interval at which we send now, and Receive the shortest at
	// which we ask the router to send. Detection is how long the router may be
	// silent now, zero before it was heard.
	Transmit, Receive, Detection time.Duration
}

// alike reports whether nobody needs to be told of the difference: a session
// that does not come up goes through its states again and again.
func (s Status) alike(o Status) bool {
	if (s.State == EstablishedState) != (o.State == EstablishedState) || (s.BFD == nil) != (o.BFD == nil) {
		return false
	}
	if s.BFD != nil && *s.BFD != *o.BFD {
		return false
	}
	s.State, s.BFD, o.State, o.BFD = 0, nil, 0, nil
	return s == o
}

// copies returns statuses that share nothing with the given ones.
func copies(list []Status) []Status {
	out := slices.Clone(list)
	for i := range out {
		if out[i].BFD != nil {
			b := *out[i].BFD
			out[i].BFD = &b
		}
	}
	return out
}
