package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrExhausted is what every ExhaustedError is: no candidate pool has an
// address left for the request.
var ErrExhausted = errors.New("no address left")

// ErrNotInPool is the error of a Claim of an address that no pool gives out.
var ErrNotInPool = errors.New("address is in no pool")

// A ConflictError says that an address cannot be held since another owner has
// it and the two may not share.
type ConflictError struct {
	Address netip.Addr
	// Owner is the one that holds Address.
	Owner string
	// Rule is the first one that forbids to share: "both use TCP port 80".
	Rule string
}

// Error names address, holder and rule.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("address %v is held by %q: %s", e.Address, e.Owner, e.Rule)
}

// An ExhaustedError says why no candidate pool could serve a request.
type ExhaustedError struct {
	Owner string
	// Shortages has an entry for each candidate pool and each family that no
	// candidate could serve, by family and then in the order of the pools. It
	// is empty when there was no candidate, and ends after the first ones when
	// there were many; More says how many it lacks.
	Shortages []Shortage
	More      int
}

// maxShortages bounds how many shortages an error has.
const maxShortages = 8

// Error names the pools that were looked at, and what each lacks.
func (e *ExhaustedError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "allocate for %q: %v: ", e.Owner, ErrExhausted)
	if len(e.Shortages) == 0 {
		text.WriteString("no pool is a candidate")
	}
	for i, s := range e.Shortages {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(s.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&text, "; and %d more", e.More)
	}
	return text.String()
}

// Is makes every ExhaustedError an ErrExhausted.
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// A Shortage says why one pool did not serve one family.
type Shortage struct {
	Pool   string
	Family Family
	Cause  Cause
	// Usage is the pool's, zero unless the Cause is Full.
	Usage Usage
}

// String is a text for people: `pool "gold": all 254 IPv4 addresses are in use`.
func (s Shortage) String() string {
	switch s.Cause {
	case UnknownPool:
		return fmt.Sprintf("pool %q: no such pool", s.Pool)
	case NoFamily:
		return fmt.Sprintf("pool %q: no %v addresses", s.Pool, s.Family)
	case Full:
		if resting := s.Usage.Resting(); !resting.IsZero() {
			return fmt.Sprintf("pool %q: all %v %v addresses are in use, or rest after it (%v)",
				s.Pool, s.Usage.Total, s.Family, resting)
		}
		return fmt.Sprintf("pool %q: all %v %v addresses are in use", s.Pool, s.Usage.Total, s.Family)
	default:
		return fmt.Sprintf("pool %q: unknown cause", s.Pool)
	}
}

// A Cause is the kind of a Shortage; zero means not set.
type Cause int

// The causes.
const (
	// UnknownPool: the request names a pool that is not there.
	UnknownPool Cause = iota + 1
	// NoFamily: the pool has no range of the family.
	NoFamily
	// Full: all its addresses are in use or rest, and none can be shared.
	Full
)

// String is one word: UnknownPool, NoFamily or Full.
func (c Cause) String() string {
	switch c {
	case UnknownPool:
		return "UnknownPool"
	case NoFamily:
		return "NoFamily"
	case Full:
		return "Full"
	default:
		return "Unknown"
	}
}
