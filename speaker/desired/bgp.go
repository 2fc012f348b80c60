package desired

import (
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/config"
)

// BGP is what this node should say to routers. Its slices are sorted, so equal
// decisions are equal values. The zero BGP has no session.
type BGP struct {
	// Sessions are the peers that select this node, by name.
	Sessions []*config.Peer
	// Routes are sorted by prefix, then by their first peer. A prefix stands more
	// than once when peers get it with different attributes.
	// Invariant: a pair of prefix and peer stands once.
	Routes []Route
	// Refused tells which advertisements of a prefix are not in force, because
	// another one says something else of it to the same peer. Sorted by prefix,
	// peer, advertisement.
	Refused []Refusal
}

// A Route is a prefix that this node announces to some of its peers.
type Route struct {
	Prefix netip.Prefix
	// Peers are names of BGP.Sessions, sorted. Never empty.
	Peers      []string
	Attributes Attributes
	// Services are the keys of those with an address in the prefix that this node
	// serves, sorted. Never empty.
	Services []string
	// Advertisements are the names of those that ask for the route, sorted.
	Advertisements []string
}

// Attributes are the path attributes that an advertisement asks for (RFC 4271
// section 5, RFC 1997, RFC 8092).
type Attributes struct {
	// LocalPref goes to peers of the same ASN alone. MED is not sent when nil.
	LocalPref, MED *uint32
	// ASNPrepend is how often the own ASN is put before the AS path, beyond the
	// once that BGP asks for.
	ASNPrepend int
	// Communities are sorted.
	Communities []config.Community
}

// Equal reports whether two values ask for the same.
func (a Attributes) Equal(b Attributes) bool {
	return sameNumber(a.LocalPref, b.LocalPref) && sameNumber(a.MED, b.MED) && a.ASNPrepend == b.ASNPrepend &&
		slices.Equal(a.Communities, b.Communities)
}

func sameNumber(a, b *uint32) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// A Refusal is an advertisement of a prefix to a peer that another one, whose
// name comes first, contradicts.
type Refusal struct {
	Prefix netip.Prefix
	Peer   string
	// Advertisement is refused, and InForce is the one that counts.
	Advertisement, InForce string
}
