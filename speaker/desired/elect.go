package desired

import (
	"cmp"
	"slices"
)

// An elector holds elections. What it keeps is only room to work in.
type elector struct {
	view *view
	// field are the candidates of the address that narrow was asked for last,
	// and binding the holdings that all of them suit.
	field   bitset
	binding []*holding
	own     bitset // result of candidates
	weights []int64
}

// newElector returns an elector with room for the nodes of a view.
func newElector(v *view) *elector {
	return &elector{view: v, own: newBitset(len(v.nodes)), weights: make([]int64, len(v.nodes))}
}

// narrow sets field to the candidates of an address, and binding to the
// holdings that all of them suit. Both are empty when there is no candidate.
func (e *elector) narrow(a *address) {
	e.field, e.binding = e.field[:0], e.binding[:0]
	for _, h := range a.holdings {
		own := e.candidates(h)
		switch {
		case own.empty():
			continue
		case len(e.binding) == 0:
			e.field = append(e.field, own...)
		case !e.field.meets(own):
			continue
		default:
			e.field.keep(own)
		}
		e.binding = append(e.binding, h)
	}
}

// candidates returns the nodes that may announce an address for one of its
// holders. The result is valid until the next call.
func (e *elector) candidates(h *holding) bitset {
	if !h.service.serving || h.cover.nodes == nil {
		return nil
	}
	if !h.service.svc.Local {
		copy(e.own, h.cover.nodes)
	} else {
		clear(e.own)
		for name, serving := range h.service.svc.Serving {
			if i, ok := e.view.index[name]; ok && serving && h.cover.nodes.has(i) {
				e.own.add(i)
			}
		}
	}
	h.cover.linkage.keep(e.own, h.address.networks)
	return e.own
}

// weigh returns the weights of the nodes for the address that narrow was asked
// for last, by place. Only those in field count.
func (e *elector) weigh() []int64 {
	if len(e.binding) == 1 {
		return e.binding[0].cover.weights
	}
	for i := range e.field.all {
		e.weights[i] = 0
		for _, h := range e.binding {
			e.weights[i] = max(e.weights[i], h.cover.weights[i])
		}
	}
	return e.weights
}

// A load is how many addresses of a family each node holds, by its place. The
// families count apart, so that each is spread evenly.
type load struct{ four, six []int }

func newLoad(nodes int) load { return load{four: make([]int, nodes), six: make([]int, nodes)} }

// clone returns a copy.
func (l load) clone() load { return load{four: slices.Clone(l.four), six: slices.Clone(l.six)} }

// of returns the load of an address's family.
func (l load) of(a *address) []int {
	if a.addr.Is4() {
		return l.four
	}
	return l.six
}

// A ballot is how candidates of equal weight are told apart.
type ballot struct {
	// load is how many addresses of the family each node has, by its place:
	// fewer are better. Nil leaves that out.
	load []int
	// tie is the place of the node that wins among equals, -1 for none. Without
	// one the highest score wins.
	tie int
}

// elect returns the place of the node that wins the address that narrow was
// asked for last, -1 when there is no candidate.
func (e *elector) elect(a *address, b ballot) int {
	weights := e.weigh()
	best, bestScore, scored := -1, uint64(0), false
	for i := range e.field.all {
		if best < 0 {
			best = i
			continue
		}
		better := cmp.Compare(weights[i], weights[best])
		if better == 0 && b.load != nil {
			better = cmp.Compare(b.load[best], b.load[i])
		}
		switch {
		case better < 0, better == 0 && best == b.tie:
			continue
		case better > 0, i == b.tie:
			best, scored = i, false
			continue
		case !scored:
			bestScore, scored = score(e.view.hashes[best], a.slot), true
		}
		// Nodes come in the order of their names: the first of equals stays.
		if s := score(e.view.hashes[i], a.slot); s > bestScore {
			best, bestScore = i, s
		}
	}
	return best
}

// heavier reports whether a candidate has a higher weight than this node.
func (e *elector) heavier() bool {
	weights := e.weigh()
	for i := range e.field.all {
		if weights[i] > weights[e.view.self] {
			return true
		}
	}
	return false
}

// reason returns why this node does not announce an address for one of its
// holders, zero when it does. The holder of the address has been decided on.
func (e *elector) reason(h *holding) Reason {
	switch {
	case h.cover.own != 0:
		return h.cover.own
	case !h.cover.linkage.fits(e.view.self, h.address.networks):
		return NoInterface
	case !h.service.serving:
		return NoServingEndpoint
	case h.service.svc.Local && !h.service.svc.Serving[e.view.node]:
		return NoLocalEndpoint
	case h.address.holder != e.view.node:
		return NotElected
	default:
		return 0
	}
}
