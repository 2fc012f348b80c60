package desired

import (
	"net/netip"
	"slices"
)

// A task is what a node has to decide about an address with regard to how many
// each node holds, that is, after it has looked at all; zero is nothing.
type task int

const (
	// place: nobody holds the address, somebody is to be elected.
	place task = iota + 1
	// handOver: this node holds it, and gives it to whom it elects.
	handOver
	// sendHome: this node holds it, and gives it to its home.
	sendHome
	// placeAnew: this node took it when it was the first to start.
	placeAnew
)

// A decider decides to whom addresses belong.
type decider struct {
	*elector
	claims *Claims
	memory *memory
	// givenBack are claims by which this node gives addresses back.
	givenBack []Claim
	// majority is true when most of the speakers are alive, and sure when they
	// have been so for a while: what is claimed then is not weak.
	majority, sure bool
	// calm is true when they have just become sure.
	calm bool
}

// survey finds out who holds an address, and what there is to decide about it.
func (d *decider) survey(a *address) {
	t, held := d.memory.held[a.addr]
	if d.calm {
		t.asserted = 0
	}
	a.claim, a.made, a.task, a.holder = d.claims.Of(a.addr), false, 0, ""
	if held && t.claim.Compare(a.claim) > 0 {
		a.claim, a.made = t.claim, true // it has not been heard yet
	}
	a.owner = d.view.place(a.claim.Node)
	d.narrow(a)
	switch mine := a.claim.Node == d.view.node; {
	case mine:
		d.keep(a, t, held)
	case held && d.reasserts(t, a.claim):
		t.claim = Claim{Address: a.addr, Node: d.view.node, Epoch: a.claim.Epoch + 1, Weak: !d.majority}
		t.cause, t.fresh, t.early, t.asserted = Asserted, false, false, t.asserted+1
		a.claim, a.made, a.tenure, a.owner = t.claim, true, t, d.view.self
		a.holder = d.view.node
	case a.owner >= 0:
		a.holder = a.claim.Node
	case len(d.binding) > 0:
		a.task = place
	}
}

// reasserts reports whether this node, which may announce the address that
// narrow was asked for last and did so until now, claims it back.
func (d *decider) reasserts(t tenure, by Claim) bool {
	return by.Weak && t.rightful && t.announced && t.asserted < maxAsserted && d.candidate()
}

// candidate reports whether this node is one for the address that narrow was
// asked for last.
func (d *decider) candidate() bool {
	return d.view.self >= 0 && len(d.binding) > 0 && d.field.has(d.view.self)
}

// keep decides whether this node goes on holding an address that is its own.
func (d *decider) keep(a *address, t tenure, held bool) {
	a.holder, a.owner = d.view.node, d.view.self
	if !held || t.claim.Epoch != a.claim.Epoch {
		t, held = tenure{cause: Appointed}, false
		if !d.memory.started || d.memory.claims.Of(a.addr).Node == d.view.node {
			t.cause = Kept
		}
	}
	t.claim = a.claim
	if !t.claim.Weak {
		t.rightful, t.early = true, false
	}
	switch {
	case len(d.binding) == 0: // nobody may have it
	case !d.candidate():
		a.task = handOver
	case a.failback():
		a.task = d.home(a, &t, held)
	case held && t.preferences != a.preferences() && d.heavier():
		a.task = handOver
	}
	if a.task == 0 && t.claim.Weak && d.calm {
		if t.early && d.candidate() && !a.failback() {
			a.task = placeAnew
		}
		t.claim.Weak, t.rightful, t.early = false, true, false
		a.claim, a.made = t.claim, true
	}
	a.tenure = t
}

// home returns what to do with an address that has failback and belongs to this
// node, which is a candidate, and notes in its tenure who is not to have it.
func (d *decider) home(a *address, t *tenure, held bool) task {
	if i, ok := d.view.index[t.appointer]; !ok || d.calm || !d.field.has(i) {
		t.appointer = ""
	}
	home := d.view.nodes[d.elect(a, ballot{tie: -1})].Name
	if !held && t.cause == Appointed && home == d.memory.claims.Of(a.addr).Node {
		t.appointer = home
	}
	if home == d.view.node || home == t.appointer {
		return 0
	}
	return sendHome
}

// placeAll elects a holder for the addresses that have none, in their order,
// given how many each node holds, and counts them. All nodes decide the same;
// the one that wins makes the claim.
func (d *decider) placeAll(addresses []*address, load load) {
	for _, a := range addresses {
		if a.task != place {
			continue
		}
		d.narrow(a)
		b := ballot{load: load.of(a), tie: -1}
		if a.failback() {
			b.load = nil // it goes home
		}
		i := d.elect(a, b)
		load.of(a)[i]++
		a.holder = d.view.nodes[i].Name
		if i != d.view.self {
			continue
		}
		// The node that is not alive may have been cut off when it claimed the
		// address from one that is: who takes over knows no better.
		weak := !d.sure || a.claim.Weak
		t := tenure{cause: TookOver, fresh: a.claim.fresh(), rightful: !weak, early: !d.majority && !d.memory.majority}
		if a.claim.fresh() {
			t.cause = Placed
		}
		t.claim = Claim{Address: a.addr, Node: d.view.node, Epoch: a.claim.Epoch + 1, Weak: weak}
		a.claim, a.made, a.tenure = t.claim, true, t
	}
}

// handAll gives this node's addresses that it is not to keep to others, in
// their order, given how many each node holds.
func (d *decider) handAll(addresses []*address, load load) {
	for _, a := range addresses {
		if a.task != place && a.owner >= 0 {
			load.of(a)[a.owner]--
		}
	}
	for _, a := range addresses {
		b := ballot{load: load.of(a), tie: -1}
		switch {
		case a.task == 0, a.task == place:
			continue
		case a.failback():
			b.load = nil // it goes home
		case a.task == placeAnew:
			b.tie = d.view.self
		}
		d.narrow(a)
		i := d.elect(a, b)
		load.of(a)[i]++
		if i == d.view.self {
			continue
		}
		a.holder = d.view.nodes[i].Name
		a.claim = Claim{Address: a.addr, Node: a.holder, Epoch: a.claim.Epoch + 1, Weak: a.claim.Weak || !d.majority}
		a.made = true
	}
}

// conclude sets what follows from an address's holder, remembers it, and
// reports whether what is declined of it is not what it was, and whether how it
// is announced is not.
func (d *decider) conclude(a *address) (retold, relit bool) {
	retold = a.told != a.holder
	a.told = a.holder
	led := Layer2Address{Address: a.addr, Cause: a.tenure.cause, Fresh: a.tenure.fresh}
	for _, h := range a.holdings {
		was := h.reason
		h.reason = d.reason(h)
		retold = retold || was != h.reason
		if h.reason == 0 {
			led.Services = append(led.Services, h.service.svc.Key)
			led.Interfaces = append(led.Interfaces, h.cover.linksFor(a.addr)...)
		}
	}
	if led.Services == nil {
		led = Layer2Address{}
	}
	slices.Sort(led.Services)
	slices.Sort(led.Interfaces)
	led.Interfaces = slices.Compact(led.Interfaces)
	if !sameLed(a.led, led) {
		a.led, relit = led, true
	}
	if retold {
		for _, h := range a.holdings {
			h.service.bucket.stale = true
		}
	}
	if a.claim.Node != d.view.node {
		delete(d.memory.held, a.addr)
		return retold, relit
	}
	t := a.tenure
	t.announced, t.preferences = led.Services != nil, a.preferences()
	d.memory.held[a.addr] = t
	return retold, relit
}

// giveBack forgets an address that no Service has any more, and gives it back if
// it belongs to this node, so that it is placed as if it were new for the next
// Service that has it.
func (d *decider) giveBack(addr netip.Addr) {
	t, held := d.memory.held[addr]
	if held && d.claims.Of(addr).Compare(t.claim) <= 0 {
		d.givenBack = append(d.givenBack, Claim{Address: addr, Node: Nobody, Epoch: t.claim.Epoch + 1, Weak: t.claim.Weak})
	}
	delete(d.memory.held, addr)
}

func sameLed(a, b Layer2Address) bool {
	return a.Address == b.Address && a.Cause == b.Cause && a.Fresh == b.Fresh &&
		slices.Equal(a.Services, b.Services) && slices.Equal(a.Interfaces, b.Interfaces)
}
