package desired

import "net/netip"

// A State is what this node's speaker should announce. Its slices are sorted,
// so equal decisions are equal values. It is never written after it is built,
// and may share memory with later ones.
type State struct {
	// Layer2 is sorted by address.
	Layer2 []Layer2Address
	// Declined tells for every address of every Service that this node does
	// not announce by a protocol why not, sorted by Service, address, protocol.
	Declined []Declined
}

// A Layer2Address is an address that this node answers ARP or NDP for.
type Layer2Address struct {
	Address netip.Addr
	// Interfaces are the names of the links to answer on, sorted. Never empty.
	Interfaces []string
	// Services are the keys of those that hold the address, sorted.
	Services []string
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
	// NoAdvertisement: no L2Advertisement covers the Service's pool and labels.
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
