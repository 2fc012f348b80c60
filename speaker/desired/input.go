package desired

import (
	"net/netip"

	"github.com/heraldlb/herald/config"
)

// An Input is all that a decision depends on. Neither it nor anything it points
// to is written after it is built. Order does not matter in any of its slices;
// a Computer is fastest when Services keep their order from Input to Input.
type Input struct {
	// Node is the name of the node that this speaker runs on: the same in all
	// Inputs of a Computer.
	Node string
	// Config is what the accepted objects say; nil is an empty one.
	Config *config.Config
	// Services are those with at least one address and this load balancer
	// class, each key once. A Service behind the same pointer as in an earlier
	// Input is the same Service: whoever learns something new about it puts a
	// new pointer in. That is how a Computer finds what changed.
	Services []*Service
	// Nodes are all nodes of the cluster, each name once.
	Nodes []Node
	// Alive holds the names of nodes whose speaker is known to be alive, this
	// one included unless it is leaving.
	Alive map[string]bool
	// Links are this node's network interfaces.
	Links []Link
	// PeerLinks are those of other nodes, by the name of the node. Of a node
	// that is not in it they are not known: it counts as having one that fits.
	// What it says of this node is not looked at.
	PeerLinks map[string][]Link
	// Claims are all that are known. What a State had in its Claims is in the
	// Claims of the next Input.
	Claims *Claims
	// Expected is how many speakers there should be, this one included. Zero
	// is not known: this speaker then never takes itself for cut off.
	Expected int
	// Steady is true when who is alive has not changed for some seconds, during
	// which this speaker did not stand still either: then all of them have heard
	// each other's claims. Nothing else makes weak claims strong, see Compute.
	Steady bool
}

// A Service is a Service of type LoadBalancer with the addresses in its status.
type Service struct {
	// Key is namespace/name.
	Key       string
	Labels    config.Labels
	Addresses []netip.Addr
	// Local is true under externalTrafficPolicy: Local.
	Local bool
	// Serving names the nodes with an endpoint that is ready, or terminating
	// and serving. An endpoint without a node name has the key "".
	Serving map[string]bool
}

// A Node is a node of the cluster as the API describes it.
type Node struct {
	Name   string
	Labels config.Labels
	// Unavailable says why the node may not announce; zero when it may.
	Unavailable Reason
}

// A Link is a network interface of a node.
type Link struct {
	Name string
	// Up is true when the link is administratively up and has a carrier.
	Up bool
	// MAC is its Ethernet address; zero when it has none.
	MAC [6]byte
	// Prefixes are the addresses on the link with their prefix lengths.
	Prefixes []netip.Prefix
}
