package desired

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/heraldlb/herald/config"
)

// A view is what an Input says besides its Services, in the form that
// elections need. Everything in it follows from the fields at its top.
type view struct {
	node   string
	config *config.Config
	nodes  []Node // sorted by name
	alive  map[string]bool
	links  []Link
	peers  map[string][]Link // links of other nodes

	hashes []uint64       // of the names of nodes
	index  map[string]int // name to place in nodes
	self   int            // place of this node in nodes; -1 when it is not there
	able   bitset         // nodes that are alive and not unavailable
	// linkMap has links and peers.
	linkMap *linkMap

	reaches []reach          // of config.L2Advertisements
	byPool  map[string][]int // pool name to places in config.L2Advertisements
	// ofAllPools are the places of those that are for all pools.
	ofAllPools []int
	// covers by the advertisements in them, see cover. They are made when the
	// first Service needs them.
	covers map[string]*cover
	key    []byte // of the last lookup in covers
	// forum is what there is about BGP.
	forum *forum
}

// newView returns the view of an Input, whose Config is not nil.
func newView(in Input) *view {
	v := &view{
		node: in.Node, config: in.Config, alive: in.Alive, links: slices.Clone(in.Links),
		peers: in.PeerLinks, nodes: slices.Clone(in.Nodes), index: make(map[string]int, len(in.Nodes)), self: -1,
		byPool: map[string][]int{}, covers: map[string]*cover{},
	}
	slices.SortFunc(v.nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	v.able = newBitset(len(v.nodes))
	for i, n := range v.nodes {
		v.hashes = append(v.hashes, hashName(n.Name))
		v.index[n.Name] = i
		if n.Unavailable == 0 && v.alive[n.Name] {
			v.able.add(i)
		}
	}
	if i, ok := v.index[v.node]; ok {
		v.self = i
	}
	v.linkMap = newLinkMap(v.nodes, v.linksOf)
	for i := range v.config.L2Advertisements {
		ad := &v.config.L2Advertisements[i]
		v.reaches = append(v.reaches, v.newReach(ad))
		if ad.AllPools {
			v.ofAllPools = append(v.ofAllPools, i)
		}
		for _, pool := range ad.Pools {
			v.byPool[pool] = append(v.byPool[pool], i)
		}
	}
	v.forum = newForum(v)
	return v
}

// remembers returns how many sets of advertisements the view has met.
func (v *view) remembers() int { return max(len(v.covers), len(v.forum.audiences)) }

// linksOf returns the links of a node, and whether they are known.
func (v *view) linksOf(node string) ([]Link, bool) {
	if node == v.node {
		return v.links, true
	}
	links, known := v.peers[node]
	return links, known
}

// shows reports whether the view is that of an Input. The order of its nodes
// is of no account.
func (v *view) shows(in Input) bool {
	if v.node != in.Node || v.config != in.Config || len(v.nodes) != len(in.Nodes) {
		return false
	}
	for _, n := range in.Nodes {
		i, ok := v.index[n.Name]
		if !ok || v.nodes[i].Unavailable != n.Unavailable || !maps.Equal(v.nodes[i].Labels, n.Labels) {
			return false
		}
	}
	return maps.Equal(v.alive, in.Alive) && slices.EqualFunc(v.links, in.Links, sameLink) &&
		maps.EqualFunc(v.peers, in.PeerLinks, sameLinks)
}

// sameLinks reports whether nothing that matters here differs in two lists.
func sameLinks(a, b []Link) bool {
	if len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] {
		return true // the same memory
	}
	return slices.EqualFunc(a, b, sameLink)
}

func sameLink(a, b Link) bool {
	return a.Name == b.Name && a.Up == b.Up && slices.Equal(a.Prefixes, b.Prefixes)
}

// place returns the place of a node that is alive, -1 for any other name.
func (v *view) place(node string) int {
	if i, ok := v.index[node]; ok && v.alive[node] {
		return i
	}
	return -1
}

// A reach says which nodes an advertisement selects, the weight of each, and
// which links it allows.
type reach struct {
	nodes   bitset
	weights []int64 // by place of the node; only those in nodes count
	links   bitset  // by number of the name in linkMap
	// preferences is a number for which nodes it prefers, whichever there are.
	preferences uint64
}

func (v *view) newReach(ad *config.L2Advertisement) reach {
	r := reach{
		nodes: newBitset(len(v.nodes)), weights: make([]int64, len(v.nodes)),
		links: newBitset(len(v.linkMap.names)), preferences: preferencesOf(ad),
	}
	for i, n := range v.nodes {
		if !selectsNode(ad, n.Labels) {
			continue
		}
		r.nodes.add(i)
		for _, p := range ad.Preferred {
			if p.Selector.Matches(n.Labels) {
				r.weights[i] += int64(p.Weight)
			}
		}
	}
	for name, i := range v.linkMap.names {
		if allowsLink(ad, name) {
			r.links.add(i)
		}
	}
	return r
}

// preferencesOf returns a number for which nodes an advertisement prefers, zero
// when it prefers none. Which of them it selects is a part of that.
func preferencesOf(ad *config.L2Advertisement) uint64 {
	if len(ad.Preferred) == 0 {
		return 0
	}
	sum := uint64(0)
	for _, s := range ad.NodeSelectors {
		sum += hashName("node " + s.String())
	}
	for _, p := range ad.Preferred {
		sum += hashName(strconv.Itoa(int(p.Weight)) + " " + p.Selector.String())
	}
	return mix(sum + 1)
}

// anyOrNone reports whether there are no selectors, or one of the n matches.
func anyOrNone(n int, matches func(i int) bool) bool {
	for i := range n {
		if matches(i) {
			return true
		}
	}
	return n == 0
}

// selectsNode reports whether an advertisement selects nodes with these labels.
func selectsNode(ad *config.L2Advertisement, labels config.Labels) bool {
	return anyOrNone(len(ad.NodeSelectors), func(i int) bool { return ad.NodeSelectors[i].Matches(labels) })
}

// selectsService reports whether an advertisement is for Services with these labels.
func selectsService(ad *config.L2Advertisement, labels config.Labels) bool {
	return anyOrNone(len(ad.ServiceSelectors), func(i int) bool { return ad.ServiceSelectors[i].Matches(labels) })
}

// allowsLink reports whether an advertisement allows a link of this name. A
// glob that path.Match refuses matches nothing; config.Parse lets none pass.
func allowsLink(ad *config.L2Advertisement, name string) bool {
	return anyOrNone(len(ad.Interfaces), func(i int) bool {
		ok, err := path.Match(ad.Interfaces[i], name)
		return err == nil && ok
	})
}
