package desired

import (
	"net/netip"
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
	// room is for the holdings of most.
	room   [1]holding
	hash   uint64 // of the key
	bucket *bucket
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

	// audience is what covers it under BGP, nil when nothing is said about that,
	// and unsaid why this node does not announce it; zero when it does.
	audience *audience
	unsaid   Reason
}

// An address is one that Services hold, with what was decided about it.
type address struct {
	addr netip.Addr
	slot slot
	// networks are the numbers of those that it is in, see linkMap.
	networks []int
	// holdings of all that share the address, in the order of byStrictness.
	holdings []*holding
	room     [1]*holding // for the holdings of most

	// claim is the one in force, and made is true when this node made it: the
	// Claims of the Input do not have it.
	claim Claim
	made  bool
	// owner is the place of the node that the address counts for in
	// Computer.load, -1 for none.
	owner int
	// task is what is left to decide when all addresses have been surveyed.
	task task
	// tenure is how this node holds the address, if it does.
	tenure tenure

	// holder is the name of the node that the address goes to; empty when
	// nobody may announce it.
	holder string
	// told is the holder as it is in Computer.state.
	told string
	// led is how this node announces it; without Services when it does not.
	led Layer2Address
	// wasLed is true when the address is in Computer.led.
	wasLed bool
	// unsettled is true when it is in Computer.unsettled.
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

// preferences returns a number for what the advertisements that cover an
// address prefer: it changes when that is edited, whatever nodes there are.
func (a *address) preferences() uint64 {
	sum := a.holdings[0].cover.preferences
	for i, h := range a.holdings[1:] {
		said := false
		for _, earlier := range a.holdings[:i+1] {
			said = said || earlier.cover == h.cover
		}
		if !said {
			sum += h.cover.preferences
		}
	}
	return sum
}

// failback reports whether an advertisement that covers an address asks for it.
func (a *address) failback() bool {
	for _, h := range a.holdings {
		if h.cover.failback {
			return true
		}
	}
	return false
}
