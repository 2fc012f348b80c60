package config

import (
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/heraldlb/herald/internal/iprange"
)

// Labels are the labels of an object. The name spares pure packages an import.
type Labels = labels.Set

// A Config is everything that the accepted objects of one cluster say, with
// every reference resolved. It is never written after Parse has returned it,
// so it may be shared between goroutines. The zero Config is valid and empty.
type Config struct {
	// Pools in the order in which they are tried: priority, then name.
	Pools []Pool
	// Retired are pools that are not accepted, as far as they can be read, in
	// name order. Nothing is assigned from them; what was assigned while they
	// were in order stays announced, so that a mistake in a pool darkens nobody.
	// Invariant: their Ranges are disjoint, and from those of Pools.
	Retired []Pool
	// L2Advertisements in name order.
	L2Advertisements []L2Advertisement
	// BGPAdvertisements in name order.
	BGPAdvertisements []BGPAdvertisement
	// Peers in name order.
	Peers []Peer

	// index and retired find Pools and Retired by address; they are nil in a
	// Config that Parse did not make.
	index, retired *index
}

// A Pool is an accepted IPAddressPool.
type Pool struct {
	Name   string
	Labels Labels
	// Ranges hold what the pool gives out, exclusions already cut away, sorted
	// (IPv4 first). Invariant: disjoint, within this pool and between pools.
	Ranges []iprange.Range
	// AutoAssign is false for a pool that serves only who names it.
	AutoAssign bool
	// AvoidBuggyIPs leaves IPv4 addresses that end in .0 and .255 out.
	AvoidBuggyIPs bool
	// Cooldown is how long a released address rests before it is given out
	// again; zero means not at all.
	Cooldown time.Duration
	// Priority orders pools, lower first; zero comes last.
	Priority int
	// Scope says for which Services the pool may be used.
	Scope Scope
}

// A Scope restricts a pool to Services: each non-empty list must have a match.
// The zero Scope allows every Service and is not pinned.
type Scope struct {
	Namespaces         []string
	NamespaceSelectors []labels.Selector
	ServiceSelectors   []labels.Selector
}

// A Subject is what selectors look at in a Service.
type Subject struct {
	Namespace       string
	NamespaceLabels Labels
	Labels          Labels
}

// An L2Advertisement is an accepted L2Advertisement: which Services' addresses
// which nodes may announce in layer 2, on which interfaces.
type L2Advertisement struct {
	Name string
	// Pools holds the names of the pools it covers, resolved and sorted, retired
	// ones too. None is none: "every pool" is resolved as well.
	// Invariant: every name is a pool of the same Config.
	Pools []string
	// AllPools is true when the object names and selects no pools. It then
	// covers, besides Pools, what Services hold of pools that are gone.
	AllPools bool
	// ServiceSelectors and NodeSelectors match everything when empty.
	ServiceSelectors []labels.Selector
	NodeSelectors    []labels.Selector
	// Preferred weighs nodes; the highest sum of weights that match is tried first.
	Preferred []WeightedSelector
	// Interfaces are names or globs (path.Match); empty means every interface.
	Interfaces []string
	// Failback moves addresses home to the node that goes first for them.
	Failback bool
}

// A WeightedSelector gives nodes that it matches a weight.
type WeightedSelector struct {
	Weight   int32
	Selector labels.Selector
}

// A BGPAdvertisement is an accepted BGPAdvertisement.
type BGPAdvertisement struct {
	Name string
	// Pools and AllPools are as in L2Advertisement.
	Pools            []string
	AllPools         bool
	ServiceSelectors []labels.Selector
	NodeSelectors    []labels.Selector
	// Peers holds the names of the peers it is for; empty means all.
	Peers []string
	// AggregationLength is the prefix length announced for IPv4 and IPv6.
	AggregationLength, AggregationLengthV6 int
	LocalPref                              *uint32
	MED                                    *uint32
	// ASNPrepend is how often the own ASN is put before the AS path.
	ASNPrepend  int
	Communities []Community
}

// A Community is a standard (RFC 1997) or large (RFC 8092) BGP community.
type Community struct {
	// Large tells the two forms apart; a standard one uses Global and Local1
	// as its two halves of 16 bits.
	Large                  bool
	Global, Local1, Local2 uint32
}

// A Peer is an accepted BGPPeer, its BFDProfile and password looked up.
//
// Two peers of one Config may have the same Address or Interface and VRF when
// their NodeSelectors differ. If both select one node all the same, the first
// by name is in force there.
type Peer struct {
	Name    string
	MyASN   uint32
	PeerASN uint32 // zero when Dynamic is set
	Dynamic DynamicASN
	// Address is the peer's; invalid for an unnumbered peer, which has Interface.
	Address   netip.Addr
	Interface string
	Port      uint16
	// SourceAddress and RouterID are invalid when not given.
	SourceAddress, RouterID   netip.Addr
	HoldTime, KeepaliveTime   time.Duration
	ConnectTime               time.Duration
	NodeSelectors             []labels.Selector
	Password                  string
	EBGPMultiHop, TTLSecurity bool
	VRF                       string
	GracefulRestart           bool
	BFD                       *BFDProfile
}

// DynamicASN says how a peer's ASN is taken from its OPEN; zero means not set.
type DynamicASN int

// The ways to accept a peer's ASN.
const (
	DynamicNone DynamicASN = iota
	DynamicInternal
	DynamicExternal
)

// A BFDProfile is an accepted BFDProfile (RFC 5880).
type BFDProfile struct {
	Name                              string
	ReceiveInterval, TransmitInterval time.Duration
	DetectMultiplier                  uint8
	PassiveMode                       bool
	MinimumTTL                        uint8
}
