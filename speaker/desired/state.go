package desired

import "net/netip"

// A State is what this node's speaker should announce. Equal decisions are equal
// values: its slices are sorted, but for Declined, whose order is fixed too. It is
// never written after it is built, and may share memory with later ones.
type State struct {
	// Layer2 is sorted by address.
	Layer2 []Layer2Address
	// BGP is what is said to routers.
	BGP BGP
	// Declined tells for every address of every Service that this node does
	// not announce by a protocol why not.
	Declined Declines
	// Claims are those that this node makes: to be told to all speakers, and to
	// be in the next Input. They are in force in this State already. Sorted by
	// address.
	Claims []Claim
}

// A Layer2Address is an address that this node answers ARP or NDP for.
type Layer2Address struct {
	Address netip.Addr
	// Interfaces are the names of the links to answer on, sorted. Never empty.
	Interfaces []string
	// Services are the keys of those that hold the address, sorted.
	Services []string
	// Cause is how the address came to this node.
	Cause Cause
	// Fresh is true when this node was the first to claim the address: nobody
	// has announced it before.
	Fresh bool
	// Yield asks the announcer to go on answering, to announce nothing, and to
	// drop the address once another station is seen to claim it. A State never
	// has it: the addresses that a node gives away are not in its State.
	Yield bool
}

// Cause is how an address came to the node that holds it; zero means not set.
type Cause int

// The causes.
const (
	// Placed: the address had no holder, and this node was elected.
	Placed Cause = iota + 1
	// TookOver: the holder was no longer alive, and this node was elected.
	TookOver
	// Appointed: the holder handed the address to this node.
	Appointed
	// Kept: the address was this node's before its speaker started, or before
	// the Service came.
	Kept
	// Asserted: a node that had been cut off claimed the address while this one
	// held it, and this one claimed it back.
	Asserted
)

// String returns the cause as it stands in logs, metrics and status.
func (c Cause) String() string {
	switch c {
	case Placed:
		return "Placed"
	case TookOver:
		return "TookOver"
	case Appointed:
		return "Appointed"
	case Kept:
		return "Kept"
	case Asserted:
		return "Asserted"
	default:
		return "unset"
	}
}

// A Declined says why this node does not announce an address.
type Declined struct {
	Service  string
	Address  netip.Addr
	Protocol Protocol
	Reason   Reason
	// Holder is the node that won the election; empty unless Reason is
	// NotElected.
	Holder string
}

// Protocol is a way to announce an address; zero means not set.
type Protocol int

// The protocols.
const (
	ProtocolLayer2 Protocol = iota + 1
	ProtocolBGP
)

// String returns the protocol as it stands in logs and status.
func (p Protocol) String() string {
	switch p {
	case ProtocolLayer2:
		return "layer2"
	case ProtocolBGP:
		return "bgp"
	default:
		return "unset"
	}
}

// Reason says why a node does not announce an address; zero means not set.
type Reason int

// The reasons. The order is that of the checks: the first that applies is given.
const (
	// NoPool: no accepted pool contains the address.
	NoPool Reason = iota + 1
	// NoAdvertisement: no L2Advertisement, or for BGP no BGPAdvertisement, covers
	// the Service's pool and labels.
	NoAdvertisement
	// NodeUnknown: the API has no such node.
	NodeUnknown
	// NodeNotSelected: no covering advertisement selects the node.
	NodeNotSelected
	// NodeExcluded: node.kubernetes.io/exclude-from-external-load-balancers is set.
	NodeExcluded
	// NodeOutOfService: the out-of-service taint is set.
	NodeOutOfService
	// NetworkUnavailable: the node's condition NetworkUnavailable is True.
	NetworkUnavailable
	// NodeNotReady: the node's condition Ready is not True, while that of most is.
	NodeNotReady
	// SpeakerNotAlive: the node's speaker is not among the members.
	SpeakerNotAlive
	// NoInterface: no interface of this node that is up matches a covering
	// advertisement that selects it.
	NoInterface
	// NoPeer: no BGPPeer that a covering advertisement which selects the node is
	// for selects it too.
	NoPeer
	// NoServingEndpoint: the Service has no endpoint that serves, anywhere.
	NoServingEndpoint
	// NoLocalEndpoint: the policy is Local and this node has no serving endpoint.
	NoLocalEndpoint
	// NotElected: another node announces the address.
	NotElected
)

// String returns the reason as it stands in logs, metrics, events and status.
func (r Reason) String() string {
	switch r {
	case NoPool:
		return "NoPool"
	case NoAdvertisement:
		return "NoAdvertisement"
	case NodeUnknown:
		return "NodeUnknown"
	case NodeNotSelected:
		return "NodeNotSelected"
	case NodeExcluded:
		return "NodeExcluded"
	case NodeOutOfService:
		return "NodeOutOfService"
	case NetworkUnavailable:
		return "NetworkUnavailable"
	case NodeNotReady:
		return "NodeNotReady"
	case SpeakerNotAlive:
		return "SpeakerNotAlive"
	case NoInterface:
		return "NoInterface"
	case NoPeer:
		return "NoPeer"
	case NoServingEndpoint:
		return "NoServingEndpoint"
	case NoLocalEndpoint:
		return "NoLocalEndpoint"
	case NotElected:
		return "NotElected"
	default:
		return "unset"
	}
}
