package bgp

import (
	"net/netip"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bfd"
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

// A record is what is published of a peer: all of its Status but BFD, which goes
// on changing, and what that is found by.
type record struct {
	status  Status
	profile *config.BFDProfile // nil without BFD
	// identity is that of the BFD session; its Remote is not valid if there is none.
	identity bfd.Session
}

// complete returns the statuses of records, with BFD as it is now.
func complete(records []record, watched []bfd.Status) []Status {
	out := make([]Status, len(records))
	for i, r := range records {
		out[i] = r.status
		if r.profile != nil {
			out[i].BFD = r.watched(watched)
		}
	}
	return out
}

// watched returns what callers see of the BFD session of a peer.
func (r record) watched(all []bfd.Status) *BFDStatus {
	out := &BFDStatus{Profile: r.profile.Name, State: bfd.Down.String(), Receive: r.profile.ReceiveInterval}
	for _, s := range all {
		if !r.identity.Remote.IsValid() || identity(s.Session) != r.identity {
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
