package ipam

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// A groupKey says which owners agree on all but ports.
type groupKey struct{ key, backends string }

// A group has the addresses of one space whose owners agree on a groupKey.
type group struct {
	tree tree[netip.Addr, member]
}

// A member is an address of a group.
type member struct {
	*entry
	// taken has the ports that every address of the member's subtree uses.
	// Whoever needs one of them need not look into that subtree, so that a
	// thousand sharers of one port cost no more than ten.
	taken []Port
}

func newGroup() *group {
	return &group{tree[netip.Addr, member]{compare: netip.Addr.Compare, pull: pullTaken}}
}

func pullTaken(n *node[netip.Addr, member]) {
	taken := n.value.ports
	for _, child := range []*node[netip.Addr, member]{n.left, n.right} {
		if child != nil {
			taken = common(taken, child.value.taken)
		}
	}
	n.value.taken = taken
}

// lowestFit returns the lowest address none of whose owners uses any of
// ports, or nil. It looks into a subtree only when no one of ports is taken
// in all of it: one path for one port, or where all sharers use the same.
func (g *group) lowestFit(ports []Port) *entry { return lowestFit(g.tree.root, ports) }

func lowestFit(n *node[netip.Addr, member], ports []Port) *entry {
	if n == nil || anyCommon(n.value.taken, ports) {
		return nil
	}
	if e := lowestFit(n.left, ports); e != nil {
		return e
	}
	if !anyCommon(n.value.ports, ports) {
		return n.value.entry
	}
	return lowestFit(n.right, ports)
}

// common returns the ports that are in both sorted lists, as a new list.
func common(a, b []Port) []Port {
	var both []Port
	for _, p := range shorter(a, b) {
		if contains(longer(a, b), p) {
			both = append(both, p)
		}
	}
	return both
}

// anyCommon reports whether any port is in both sorted lists.
func anyCommon(a, b []Port) bool {
	long := longer(a, b)
	return slices.ContainsFunc(shorter(a, b), func(p Port) bool { return contains(long, p) })
}

func shorter(a, b []Port) []Port {
	if len(a) <= len(b) {
		return a
	}
	return b
}

func longer(a, b []Port) []Port {
	if len(a) <= len(b) {
		return b
	}
	return a
}

func contains(sorted []Port, p Port) bool {
	_, found := slices.BinarySearchFunc(sorted, p, comparePorts)
	return found
}

func comparePorts(a, b Port) int {
	return cmp.Or(strings.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Number, b.Number))
}

// normal returns s with what does not matter left out, in its own memory:
// ports sorted, each once, and nothing at all without a key.
func (s Sharing) normal() Sharing {
	if s.Key == "" {
		return Sharing{}
	}
	ports := slices.SortedFunc(slices.Values(s.Ports), comparePorts)
	s.Ports = slices.Compact(ports)
	return s
}

// equal compares two normal Sharings.
func (s Sharing) equal(t Sharing) bool {
	return s.Key == t.Key && s.Backends == t.Backends && slices.Equal(s.Ports, t.Ports)
}

func (s Sharing) group() groupKey { return groupKey{s.Key, s.Backends} }

// differs says why owners with s and t cannot share whatever their ports, or
// is empty. The holder is the one with t.
func (s Sharing) differs(t Sharing) string {
	switch {
	case s.Key == "" && t.Key == "":
		return "neither has a sharing key"
	case s.Key == "":
		return "only the holder has a sharing key"
	case t.Key == "":
		return "the holder has no sharing key"
	case s.Key != t.Key:
		return "their sharing keys differ"
	case s.Backends == t.Backends:
		return ""
	case s.Backends == "" || t.Backends == "":
		return "only one of them has externalTrafficPolicy Local"
	default:
		return "both have externalTrafficPolicy Local, with different pods"
	}
}
