package desired

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/config"
)

// Compute returns what the speaker of in.Node should announce.
//
// An address goes to one node for all Services that hold it. A node is a
// candidate of a Service when its speaker is alive, the API knows it and does
// not make it unavailable, an L2Advertisement that covers the address's pool and
// the Service's labels selects it, and the Service has a serving endpoint: on
// that node under the policy Local, anywhere otherwise. A Service without any
// candidate takes no part.
//
// Sharers narrow the candidates of the address down one by one, Local ones
// first, each group in the order of their keys: a Service keeps of the
// candidates so far those that are its own too. One that would leave none is
// passed over: an address that serves some of its Services is better than one
// that serves none, and one holder is better than two. The holder then declines
// that Service for the reason why it is not a candidate of it.
//
// Of the candidates the highest weight wins. The weight of a node in an
// advertisement is the sum of its preferredNodes that match; of several
// advertisements that select the node, for any of the sharers that were not
// passed over, the best one counts, so that an advertisement said twice weighs
// no more than said once. Among equal weights the highest hash of node and
// address wins, among equal hashes the first name. Hence a node that loses an
// election moves nothing by coming or going, and one that comes takes only what
// it wins.
//
// Interfaces: those that match a covering advertisement which selects this
// node; if the address is within the network of some of them, only those; and of
// these the ones that are up. They take no part in the election, because a node knows only its own:
// a node that wins and has none declines with NoInterface, and the address
// stays unannounced until advertisements select nodes that have one.
func Compute(in Input) State { return new(Computer).Compute(in) }

// A Computer computes what Compute does, and remembers: of the view of the
// cluster, of each Service and of each address what it gave last time, for as
// long as all that it depends on stays the same. The zero Computer is ready to
// use. It is not safe for concurrent use, and keeps the last Input.
type Computer struct {
	view *view
	// input are the Services of the last Input, in its order.
	input []*Service
	// services by key and addresses by address are those of input.
	services  map[string]*service
	addresses map[netip.Addr]*address
	// order holds services, sorted by key.
	order []*service
	// led holds the addresses that this node announces, sorted.
	led []*address
	// unsettled are the addresses whose election is to be held.
	unsettled []*address
	state     State
}

// noConfig stands for a Config that is not there yet.
var noConfig config.Config

// maxCovers bounds, together with the number of Services, the covers that a
// view remembers: those of Services that are gone are not removed one by one.
const maxCovers = 100

// Compute returns the same State as the function of this name.
func (c *Computer) Compute(in Input) State {
	if in.Config == nil {
		in.Config = &noConfig
	}
	state := c.compute(in)
	if len(c.services) != len(in.Services) {
		// A key came twice, against the contract of Input. Let the later Service
		// count, whatever was before, and leave nothing behind.
		*c = Computer{}
		state = c.compute(in)
		*c = Computer{}
	}
	return state
}

func (c *Computer) compute(in Input) State {
	if c.view == nil || !c.view.shows(in) || len(c.view.covers) > maxCovers+len(in.Services) {
		*c = Computer{
			view:      newView(in),
			services:  make(map[string]*service, len(in.Services)),
			addresses: make(map[netip.Addr]*address, len(in.Services)),
		}
	}
	if c.replace(in.Services) {
		c.settle()
		c.state = c.assemble()
	}
	return c.state
}

// settle holds the elections that are due.
func (c *Computer) settle() {
	e := elector{view: c.view}
	var gained []*address
	lost := false
	for _, a := range c.unsettled {
		e.settle(a)
		a.unsettled = false
		leads := len(a.led.Services) > 0
		if leads && !a.wasLed {
			gained = append(gained, a)
		}
		lost = lost || a.wasLed && !leads
		a.wasLed = leads
		if len(a.holdings) == 0 {
			delete(c.addresses, a.addr)
		}
	}
	c.unsettled = nil
	if lost || gained != nil {
		c.led = merge(c.led, gained,
			func(a *address) bool { return a.wasLed },
			func(a, b *address) int { return a.addr.Compare(b.addr) })
	}
}

// assemble builds the State from what is remembered.
func (c *Computer) assemble() State {
	var s State
	s.Layer2 = slices.Grow(s.Layer2, len(c.led))
	for _, a := range c.led {
		s.Layer2 = append(s.Layer2, a.led)
	}
	s.Declined = make([]Declined, 0, len(c.state.Declined)*17/16+16)
	for _, svc := range c.order {
		for i := range svc.holdings {
			h := &svc.holdings[i]
			if h.reason == 0 {
				continue
			}
			d := Declined{Service: svc.svc.Key, Address: h.address.addr, Protocol: ProtocolLayer2, Reason: h.reason}
			if h.reason == NotElected {
				d.Holder = h.address.holder
			}
			s.Declined = append(s.Declined, d)
		}
	}
	if len(s.Declined) == 0 {
		s.Declined = nil // as in the zero State
	}
	return s
}

// merge returns what is kept of a sorted slice, and what is added, sorted. The
// added ones are kept without being asked about, and none of them is in old.
func merge[T any](old, added []T, keep func(T) bool, compare func(a, b T) int) []T {
	slices.SortFunc(added, compare)
	merged := make([]T, 0, len(old)+len(added))
	for _, o := range old {
		if !keep(o) {
			continue
		}
		for len(added) > 0 && compare(added[0], o) < 0 {
			merged, added = append(merged, added[0]), added[1:]
		}
		merged = append(merged, o)
	}
	return append(merged, added...)
}

// byKey orders services by their keys.
func byKey(a, b *service) int { return strings.Compare(a.svc.Key, b.svc.Key) }
