package desired

import (
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/config"
)

// A Computer computes what Compute does, and remembers: what the past of the
// node adds to an Input, see Compute, and, so as to be fast, of the view of the
// cluster, of each Service and of each address what it gave last time, for as
// long as all that it depends on stays the same. The zero Computer is that of
// a speaker that starts. It is not safe for concurrent use, and keeps the last
// Input.
type Computer struct {
	memory memory

	// What follows only makes it fast.

	view *view
	// input are the Services of the last Input, in its order.
	input []*Service
	// services by key and addresses by address are those of input.
	services  map[string]*service
	addresses map[netip.Addr]*address
	buckets   [buckets]bucket // of services
	load      load
	// led holds the addresses that this node announces, sorted, and relit is true
	// when they are not what state has.
	led   []*address
	relit bool
	// unsettled are the addresses that are to be decided about.
	unsettled []*address
	// open are those that depend on the others, and those whose claim has not
	// been heard yet, sorted. They are decided about anew each time.
	open []*address
	// destinations are what is said by BGP.
	destinations destinations
	state        State
	// givenBack are claims in state that no address stands for any more.
	givenBack []Claim
}

// noConfig stands for a Config that is not there yet.
var noConfig config.Config

// maxCovers bounds, together with the number of Services, the covers that a
// view remembers: those of Services that are gone are not removed one by one.
const maxCovers = 100

// Compute returns the State for an Input, and remembers it.
func (c *Computer) Compute(in Input) State {
	if in.Config == nil {
		in.Config = &noConfig
	}
	renewed := c.view == nil || !c.view.shows(in) || c.view.remembers() > maxCovers+len(in.Services)
	if renewed {
		c.renew(in)
	}
	changed := c.replace(in.Services) || renewed
	twice := len(c.services) != len(in.Services)
	if twice {
		// A key came twice, against the contract of Input. Let the later Service
		// count, whatever was before, and leave nothing behind.
		c.renew(in)
		renewed = c.replace(in.Services)
	}
	d := c.decider(in)
	c.hear(d)
	if len(c.unsettled) > 0 || changed || c.givenBack != nil {
		changed = c.settle(d) || changed
		if renewed {
			c.giveBackRest(d)
		}
		c.givenBack = d.givenBack
		c.state = c.assemble(changed)
	}
	c.memory.started, c.memory.claims = true, in.Claims
	c.memory.majority, c.memory.sure = c.memory.majority || d.majority, d.sure
	state := c.state
	if twice {
		*c = Computer{memory: c.memory}
	}
	return state
}

// renew forgets all that only makes a Computer fast.
func (c *Computer) renew(in Input) {
	*c = Computer{
		memory:    c.memory,
		view:      newView(in),
		services:  make(map[string]*service, len(in.Services)),
		addresses: make(map[netip.Addr]*address, len(in.Services)),
		load:      newLoad(len(in.Nodes)),
	}
	c.destinations.byPrefix = map[netip.Prefix]*destination{}
	c.state.BGP.Sessions = c.view.forum.sessions
	if c.memory.held == nil {
		c.memory.held = map[netip.Addr]tenure{}
	}
}

// decider returns who decides about an Input.
func (c *Computer) decider(in Input) *decider {
	d := &decider{elector: newElector(c.view), claims: in.Claims, memory: &c.memory, majority: in.majority()}
	d.sure = d.majority && in.Steady || in.Expected <= 1
	d.calm = d.sure && !c.memory.sure
	return d
}

// hear unsettles the addresses of which something else is claimed, those that
// depend on others, and, when there is calm, those held until then.
func (c *Computer) hear(d *decider) {
	for addr := range d.claims.Changed(c.memory.claims) {
		if a := c.addresses[addr]; a != nil {
			c.unsettle(a)
		}
	}
	for _, a := range c.open {
		c.unsettle(a)
	}
	if !d.calm {
		return
	}
	for addr, t := range c.memory.held {
		if a := c.addresses[addr]; a != nil && (t.claim.Weak || t.asserted > 0 || t.appointer != "") {
			c.unsettle(a)
		}
	}
}

// majority reports whether most of the speakers are alive, this one included.
func (in *Input) majority() bool {
	alive := 0
	for _, lives := range in.Alive {
		if lives {
			alive++
		}
	}
	if !in.Alive[in.Node] {
		alive++
	}
	return in.Expected <= 1 || 2*alive > in.Expected
}

// settle decides about the addresses that are unsettled, and reports whether
// that changed anything besides claims.
func (c *Computer) settle(d *decider) (changed bool) {
	var tasks []*address
	for _, a := range c.unsettled {
		c.count(a, -1)
		a.owner, a.task, a.made = -1, 0, false
		if len(a.holdings) == 0 {
			continue
		}
		d.survey(a)
		c.count(a, 1)
		if a.task != 0 {
			tasks = append(tasks, a)
		}
	}
	slices.SortFunc(tasks, byAddress)
	load := c.load.clone()
	d.placeAll(tasks, load)
	d.handAll(tasks, load)
	changed = c.conclude(d)
	c.open = c.open[:0]
	for _, a := range c.unsettled {
		a.unsettled = false
		if a.task != 0 || a.made {
			c.open = append(c.open, a)
		}
	}
	slices.SortFunc(c.open, byAddress)
	c.unsettled = nil
	return changed
}

// conclude sets what follows from the decisions about the addresses that are
// unsettled, forgets those that no Service holds, and reports whether that
// changed anything besides claims.
func (c *Computer) conclude(d *decider) (changed bool) {
	var gained []*address
	lost := false
	for _, a := range c.unsettled {
		if len(a.holdings) > 0 {
			retold, relit := d.conclude(a)
			changed, c.relit = changed || retold || relit, c.relit || relit
		} else {
			changed, a.led, c.relit = true, Layer2Address{}, c.relit || a.wasLed
			d.giveBack(a.addr)
			delete(c.addresses, a.addr)
		}
		leads := len(a.led.Services) > 0
		if leads && !a.wasLed {
			gained = append(gained, a)
		}
		lost = lost || a.wasLed && !leads
		a.wasLed = leads
	}
	if lost || gained != nil {
		c.led = merge(c.led, gained, func(a *address) bool { return a.wasLed }, byAddress)
	}
	return changed
}

// giveBackRest gives the addresses back that no Service has any more, when it is
// not known which have been lost since the last Input.
func (c *Computer) giveBackRest(d *decider) {
	for addr := range c.memory.held {
		if c.addresses[addr] == nil {
			d.giveBack(addr)
		}
	}
}

// count adds n to what the owner of an address holds.
func (c *Computer) count(a *address, n int) {
	if a.owner >= 0 {
		c.load.of(a)[a.owner] += n
	}
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

// byAddress orders addresses.
func byAddress(a, b *address) int { return a.addr.Compare(b.addr) }
