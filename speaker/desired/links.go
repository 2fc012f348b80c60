package desired

import (
	"net/netip"
	"slices"
)

// A linkMap has the links of all nodes, in the form that elections need.
type linkMap struct {
	// names are the names of links, numbered.
	names map[string]int
	// networks are the prefixes on links that more than one address fits in,
	// numbered, and lengths the lengths that they have, by family.
	networks map[netip.Prefix]int
	lengths  map[bool][]int
	// nodes are the links by place of the node, and unknown the nodes whose
	// links are not known.
	nodes   [][]nodeLink
	unknown bitset
}

// A nodeLink is a Link with numbers for its name and networks.
type nodeLink struct {
	name     int
	up       bool
	networks []int
}

// newLinkMap returns the links of some nodes; of reports false for those that
// are not known.
func newLinkMap(nodes []Node, of func(name string) ([]Link, bool)) *linkMap {
	m := &linkMap{
		names: map[string]int{}, networks: map[netip.Prefix]int{}, lengths: map[bool][]int{},
		nodes: make([][]nodeLink, len(nodes)), unknown: newBitset(len(nodes)),
	}
	for i := range nodes {
		links, known := of(nodes[i].Name)
		if !known {
			m.unknown.add(i)
		}
		for _, l := range links {
			n := nodeLink{name: number(m.names, l.Name), up: l.Up}
			for _, p := range l.Prefixes {
				if p.IsValid() && !p.IsSingleIP() {
					n.networks = append(n.networks, m.network(p.Masked()))
				}
			}
			m.nodes[i] = append(m.nodes[i], n)
		}
	}
	return m
}

// network returns the number of a prefix.
func (m *linkMap) network(p netip.Prefix) int {
	four := p.Addr().Is4()
	if !slices.Contains(m.lengths[four], p.Bits()) {
		m.lengths[four] = append(m.lengths[four], p.Bits())
	}
	return number(m.networks, p)
}

// around returns the numbers of the networks that an address is in.
func (m *linkMap) around(addr netip.Addr) (networks []int) {
	for _, bits := range m.lengths[addr.Is4()] {
		p, err := addr.Prefix(bits)
		if err != nil {
			continue // no network of this family has that length
		}
		if n, ok := m.networks[p]; ok && p.Contains(addr) {
			networks = append(networks, n)
		}
	}
	return networks
}

// number returns the number of a key, the next one when it has none.
func number[K comparable](numbers map[K]int, key K) int {
	n, ok := numbers[key]
	if !ok {
		n = len(numbers)
		numbers[key] = n
	}
	return n
}

// A linkage says which nodes have a link for an address, of those links that
// the advertisements of a cover allow there. It says of all nodes what linksFor
// says of this one.
type linkage struct {
	unknown bitset // nodes whose links are not known: they count as having one
	up      bitset // nodes with a link that is up
	// within are, by number of the network, the nodes with a link in it, and
	// upWithin those with one that is up. Both are nil where no node is.
	within, upWithin []bitset
}

// add says that a node has a link.
func (k *linkage) add(node int, l *nodeLink, nodes int) {
	if l.up {
		k.up.add(node)
	}
	for _, n := range l.networks {
		if k.within[n] == nil {
			k.within[n], k.upWithin[n] = newBitset(nodes), newBitset(nodes)
		}
		k.within[n].add(node)
		if l.up {
			k.upWithin[n].add(node)
		}
	}
}

// keep removes from a set the nodes that have no link for an address in these
// networks: a node with links in them needs one of those to be up, and another
// any that is.
func (k *linkage) keep(set bitset, networks []int) {
	for w := range set {
		set[w] &= k.word(w, networks)
	}
}

// fits reports whether keep would leave a node.
func (k *linkage) fits(node int, networks []int) bool {
	return k.word(node/64, networks)>>(node%64)&1 != 0
}

// word returns one word of the set of nodes that have a link for an address.
func (k *linkage) word(w int, networks []int) uint64 {
	within, up := uint64(0), uint64(0)
	for _, n := range networks {
		if k.within[n] != nil {
			within |= k.within[n][w]
			up |= k.upWithin[n][w]
		}
	}
	return k.unknown[w] | up | k.up[w]&^within
}
