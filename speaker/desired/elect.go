package desired

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// A service is a Service of the Input with what is remembered of it.
type service struct {
	svc *Service
	// serving is true when an endpoint serves anywhere.
	serving bool
	// holdings of its addresses, sorted by address. The slice never grows, as
	// addresses point into it.
	holdings []holding
	// inInput is false while Computer.replace has not come across the Service.
	inInput bool
}

// A holding is an address of a Service.
type holding struct {
	service *service
	address *address
	cover   *cover
	// reason why this node does not announce it; zero when it does.
	reason Reason
}

// An address is one that Services hold, with what its election gave.
type address struct {
	addr netip.Addr
	slot slot
	// holdings of all that share the address, in the order of byStrictness.
	holdings []*holding
	// holder is the name of the node that won; empty when nobody announces.
	holder string
	// led is how this node announces it; without Services when it does not.
	led Layer2Address
	// wasLed is true when the address is in Computer.led.
	wasLed bool
	// unsettled is true when a holding came or went since the last election.
	unsettled bool
}

// byStrictness is the order in which sharers narrow an election down.
func byStrictness(a, b *holding) int {
	if a.service.svc.Local != b.service.svc.Local {
		if a.service.svc.Local {
			return -1
		}
		return 1
	}
	return strings.Compare(a.service.svc.Key, b.service.svc.Key)
}

// An elector holds elections. What it keeps is only room to work in.
type elector struct {
	view           *view
	field, serving bitset
	binding        []*holding
}

// settle holds the election of an address and sets all that depends on it.
func (e *elector) settle(a *address) {
	a.holder, a.led = "", Layer2Address{}
	if i := e.elect(a); i >= 0 {
		a.holder = e.view.nodes[i].Name
	}
	for _, h := range a.holdings {
		var links []string
		if h.cover.own == 0 {
			links = h.cover.linksFor(a.addr)
		}
		h.reason = e.reason(h, len(links) > 0)
		if h.reason != 0 {
			continue
		}
		a.led.Address = a.addr
		a.led.Services = append(a.led.Services, h.service.svc.Key)
		a.led.Interfaces = append(a.led.Interfaces, links...)
	}
	slices.Sort(a.led.Services)
	slices.Sort(a.led.Interfaces)
	a.led.Interfaces = slices.Compact(a.led.Interfaces)
}

// elect returns the place of the node that an address goes to, -1 when nobody
// may announce it.
func (e *elector) elect(a *address) int {
	e.narrow(a)
	best, bestWeight, bestScore := -1, int64(0), uint64(0)
	for i := range e.field.all {
		weight := e.binding[0].cover.weights[i]
		for _, h := range e.binding[1:] {
			weight = max(weight, h.cover.weights[i])
		}
		if best >= 0 && weight < bestWeight {
			continue
		}
		s := score(e.view.hashes[i], a.slot)
		// Nodes come in the order of their names: the first of equals stays.
		if best < 0 || cmp.Or(cmp.Compare(weight, bestWeight), cmp.Compare(s, bestScore)) > 0 {
			best, bestWeight, bestScore = i, weight, s
		}
	}
	return best
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
	switch {
	case !h.service.serving:
		return nil
	case !h.service.svc.Local:
		return h.cover.nodes
	}
	if e.serving == nil {
		e.serving = newBitset(len(e.view.nodes))
	}
	clear(e.serving)
	for name, serving := range h.service.svc.Serving {
		if i, ok := e.view.index[name]; ok && serving && h.cover.nodes.has(i) {
			e.serving.add(i)
		}
	}
	return e.serving
}

// reason returns why this node does not announce an address for one of its
// holders, zero when it does, given whether it has a link for it. The election
// has been held.
func (e *elector) reason(h *holding, linked bool) Reason {
	switch {
	case h.cover.own != 0:
		return h.cover.own
	case !linked:
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
