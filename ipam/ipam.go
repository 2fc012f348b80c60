package ipam

import (
	"net/netip"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

// A Pool is a named set of addresses that the Allocator gives out.
type Pool struct {
	Name string
	// Rank is when the pool's turn is: lower ones come first, and among equals
	// the name decides.
	Rank int
	// Ranges must be disjoint, within the pool and between pools.
	Ranges []iprange.Range
	// AvoidBuggyIPs leaves out IPv4 addresses that end in .0 and .255.
	AvoidBuggyIPs bool
	// Cooldown is how long a released address rests before Allocate chooses it
	// again. An owner that names the address gets it nonetheless.
	Cooldown time.Duration
}

// Family is an address family; zero means not set.
type Family int

// The address families.
const (
	IPv4 Family = iota + 1
	IPv6
)

// FamilyOf returns the family of an address; zero when it is not valid.
func FamilyOf(addr netip.Addr) Family {
	switch {
	case addr.Is4():
		return IPv4
	case addr.Is6():
		return IPv6
	default:
		return 0
	}
}

// String returns "IPv4" or "IPv6", as the Kubernetes API writes them.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	default:
		return "unknown family"
	}
}

// Sharing says with whom an owner may share its addresses. The zero Sharing
// shares with nobody.
type Sharing struct {
	// Key must be equal among sharers; empty means that the owner does not share.
	Key string
	// Ports are those of the Service; sharers must have none in common.
	Ports []Port
	// Backends identifies the pods behind an externalTrafficPolicy: Local
	// Service; sharers must agree. Empty means Cluster.
	Backends string
}

// A Port is a protocol ("TCP", "UDP", "SCTP") and a number.
type Port struct {
	Protocol string
	Number   uint16
}

// A Request asks for one address of each family.
type Request struct {
	// Owner is the Service's namespace/name.
	Owner   string
	Sharing Sharing
	// Families are those wanted, each once, in the order of the answer.
	Families []Family
	// Pool is the name of the only candidate. When it is empty, Serves says of
	// each pool whether it is one; a nil Serves means that all are. It is asked
	// of those alone that have something to give.
	//
	// Each family is served by the first candidate that can; two families may
	// come from two pools, but among pools of one rank one that serves all
	// families comes before that. What a rank can give is not taken from a
	// later one.
	Pool   string
	Serves func(pool string) bool
	// Near is the name of a pool that comes first among those of its rank;
	// empty when there is none.
	Near string
}

// serves reports whether a pool is a candidate.
func (r *Request) serves(p *pool) bool {
	if r.Pool != "" {
		return r.Pool == p.Name
	}
	return r.Serves == nil || r.Serves(p.Name)
}

// An Assignment is an address and the pool that it comes from.
type Assignment struct {
	Address netip.Addr
	// Pool is empty when no pool contains the address any longer.
	Pool string
}

// Usage counts a pool's addresses of one family. What is neither assigned nor
// available rests, as of the last call that was told the time.
type Usage struct {
	Total, Assigned, Available iprange.Count
}

// Resting is how many addresses are in no use but not yet given out again.
func (u Usage) Resting() iprange.Count { return u.Total.Sub(u.Assigned).Sub(u.Available) }
