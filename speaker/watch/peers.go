package watch

import (
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// A Peer is a speaker, as the EndpointSlices of the speakers' Service know it.
type Peer struct {
	Node string
	Addr netip.Addr
}

// peersOf returns the speakers of what the slices of their Service say, sorted
// by node, one for each. Ready or not does not matter: a speaker becomes ready
// by finding the others.
func peersOf(endpoints []*backend) []Peer {
	var out []Peer
	for _, is := range endpoints {
		out = append(out, is.peers...)
	}
	slices.SortFunc(out, func(a, b Peer) int {
		if c := strings.Compare(a.Node, b.Node); c != 0 {
			return c
		}
		return a.Addr.Compare(b.Addr)
	})
	// While a speaker is replaced, its node is there twice with one address.
	return slices.CompactFunc(out, func(a, b Peer) bool { return a.Node == b.Node })
}

// peerOf returns the speaker of an endpoint, and whether it is one with an
// address of the family of own.
func peerOf(ep *discoveryv1.Endpoint, own netip.Addr) (Peer, bool) {
	if ep.NodeName == nil || *ep.NodeName == "" {
		return Peer{}, false
	}
	for _, text := range ep.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Is4() != own.Is4() {
			continue
		}
		return Peer{Node: *ep.NodeName, Addr: addr}, true
	}
	return Peer{}, false
}

// othersAmong counts the peers on other nodes than the given one.
func othersAmong(peers []Peer, node string) int {
	n := 0
	for _, p := range peers {
		if p.Node != node {
			n++
		}
	}
	return n
}

// othersAlive counts the members on other nodes than the given one.
func othersAlive(alive map[string]bool, node string) int {
	n := 0
	for name, up := range alive {
		if up && name != node {
			n++
		}
	}
	return n
}
