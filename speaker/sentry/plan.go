package sentry

const (
	// meshSize is how many other nodes there may be at most for everybody to
	// watch everybody.
	meshSize = 8
	// deputyCount is how many others watch each node in a larger cluster. One
	// that can still speak is enough to report a silent node; four of them are
	// hardly ever cut off together with it.
	deputyCount = 4
)

// fellows returns those of the nodes that self has a session with, in the order
// of nodes, which have no duplicates. All nodes must compute the same plan from
// the same names, whatever their order, as a session takes two: a is a fellow
// of b exactly if b is one of a. There are none for a node that is not named.
//
// In a larger cluster each node has deputies, by rendezvous hashing: a node
// that comes or goes changes one deputy of a few others, and nothing else.
func fellows(self string, nodes []string) []string {
	var own *candidate
	all := make([]candidate, len(nodes))
	for i, n := range nodes {
		all[i] = candidate{name: n, hash: hashName(n)}
		if n == self {
			own = &all[i]
		}
	}
	if own == nil {
		return nil
	}
	var out []string
	for i := range all {
		other := &all[i]
		if other == own {
			continue
		}
		if len(all)-1 <= meshSize || deputy(own, other, all) || deputy(other, own, all) {
			out = append(out, other.name)
		}
	}
	return out
}

// A candidate is a node that may be a deputy of another.
type candidate struct {
	name string
	hash uint64
}

// deputy reports whether watcher is a deputy of node: fewer than deputyCount of
// the others have a higher score.
func deputy(watcher, node *candidate, all []candidate) bool {
	better, mine := 0, score(watcher, node)
	for i := range all {
		other := &all[i]
		if other == node || other == watcher {
			continue
		}
		s := score(other, node)
		if s > mine || (s == mine && other.name < watcher.name) {
			better++
		}
		if better == deputyCount {
			return false
		}
	}
	return true
}

// score says how much a node wants to watch another. Every speaker must compute
// the same, so neither score nor hashName ever changes; a test pins them.
func score(watcher, node *candidate) uint64 {
	return mix(watcher.hash ^ mix(node.hash+1))
}

// FNV-1a with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hashName hashes the name of a node.
func hashName(name string) uint64 {
	h := uint64(fnvOffset)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * fnvPrime
	}
	return mix(h)
}

// mix spreads every bit of x over all bits of the result, and is a bijection:
// the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
