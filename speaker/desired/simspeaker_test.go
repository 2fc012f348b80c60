package desired_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// How the simulated network and speakers behave.
const (
	simLoss      = 0.2                     // of all messages are lost
	simLate      = 0.05                    // come late
	simDelay     = 40 * time.Millisecond   // at most, if not late
	simLateDelay = 2 * time.Second         // at most
	simResend    = 200 * time.Millisecond  // until what was lost is sent again
	simExchange  = time.Second             // between a speaker's exchanges of everything
	simDetect    = 900 * time.Millisecond  // until a death is seen, at most
	simReturn    = 300 * time.Millisecond  // until a return is seen, at most
	simFacts     = 300 * time.Millisecond  // until the API has told something, at most
	simSteady    = 3 * time.Second         // Input.Steady
	simGrace     = 600 * time.Millisecond  // until what a node claims that is not alive is heard
	simAlone     = 1500 * time.Millisecond // a speaker that starts waits so long for the others
)

// A speaker is a simulated one.
type speaker struct {
	*sim
	at   int
	name string
	// life counts the times it started: what was meant for an earlier life
	// does not reach it.
	life            int
	running, open   bool
	frozen, leaving bool
	group           int // speakers of one group reach each other
	computer        desired.Computer
	claims          *desired.Claims
	facts           *facts
	links           map[string][]desired.Link
	alive           map[string]bool // frozen
	changed         time.Duration   // when alive changed last
	due             bool            // a pass is to be made
	waits           bool            // until what it sees is steady
	state           desired.State
}

// reaches reports whether two speakers can talk now.
func (p *speaker) reaches(q *speaker) bool {
	return p.running && q.running && !p.frozen && !q.frozen && p.group == q.group
}

// later does something in this life of the speaker.
func (p *speaker) later(d time.Duration, do func()) {
	life := p.life
	p.after(d, func() {
		if p.running && p.life == life {
			do()
		}
	})
}

// start begins a life without memory.
func (p *speaker) start() {
	p.life++
	p.running, p.open, p.frozen, p.leaving, p.due, p.waits = true, false, false, false, false, false
	p.computer, p.claims, p.state = desired.Computer{}, nil, desired.State{}
	p.facts, p.links, p.alive, p.changed = p.sim.facts, p.sim.links, map[string]bool{p.name: true}, p.now
	p.exchange()
	p.later(simAlone, p.opens)
}

// opens lets a speaker that has started take part.
func (p *speaker) opens() {
	if !p.open {
		p.open = true
		p.wake()
	}
}

// exchange has the speaker exchange all it knows with another, now and then.
func (p *speaker) exchange() {
	if q := p.speakers[p.IntN(len(p.speakers))]; q != p && p.reaches(q) {
		p.swap(q)
	}
	p.later(simExchange/2+p.within(simExchange), p.exchange)
}

// swap merges what two speakers know.
func (p *speaker) swap(q *speaker) {
	all := p.claims.With(slices.Collect(q.claims.All())...)
	p.hear(all)
	q.hear(all)
	if p.facts.version < q.facts.version {
		p, q = q, p
	}
	p.opens()
	q.opens()
}

// hear makes all the speaker's claims, if there is news in it. The news of a
// node that is not alive waits a little: it may be on its way back.
func (p *speaker) hear(all *desired.Claims) {
	var now, later []desired.Claim
	for addr := range all.Changed(p.claims) {
		if c := all.Of(addr); p.hasty || !p.open || p.alive[c.Node] {
			now = append(now, c)
		} else {
			later = append(later, c)
		}
	}
	if now == nil && later == nil {
		p.claims = all // the same, but shared
		return
	}
	if later != nil {
		p.later(simGrace, func() { p.take(later) })
	}
	p.take(now)
}

// take makes claims known to the speaker.
func (p *speaker) take(claims []desired.Claim) {
	if with := p.claims.With(claims...); with != p.claims {
		p.claims = with
		p.wake()
	}
}

// see makes up the speaker's mind about whether others are alive.
func (p *speaker) see(others []*speaker) {
	if p.frozen {
		return
	}
	alive := maps.Clone(p.alive)
	for _, q := range others {
		if p == q || alive[q.name] == p.reaches(q) {
			continue
		}
		alive[q.name] = p.reaches(q)
		if alive[q.name] {
			p.later(p.within(simReturn), func() {
				if p.reaches(q) {
					p.swap(q)
				}
			})
		}
	}
	if !maps.Equal(alive, p.alive) {
		p.alive = alive
		p.unsteady()
	}
}

// wake asks for a pass soon.
func (p *speaker) wake() {
	if p.due || !p.open {
		return
	}
	p.due = true
	p.later(p.within(3*time.Millisecond), p.pass)
}

// thaw has a paused speaker go on. It has seen nothing for a while, and knows.
func (p *speaker) thaw() {
	p.frozen = false
	p.unsteady()
}

// unsteady notes that the speaker sees others now than it did.
func (p *speaker) unsteady() {
	p.changed = p.now
	p.wake()
	if !p.waits {
		p.waits = true
		p.later(simSteady, p.steady)
	}
}

// steady makes a pass once nothing has changed for long enough.
func (p *speaker) steady() {
	if left := p.changed + simSteady - p.now; left > 0 {
		p.later(left, p.steady)
		return
	}
	p.waits = false
	p.wake()
}

// input is what the speaker computes from.
func (p *speaker) input() desired.Input {
	alive := p.alive
	if p.leaving {
		alive = maps.Clone(alive)
		alive[p.name] = false
	}
	return desired.Input{
		Node: p.name, Config: p.facts.config, Services: p.facts.services, Nodes: p.facts.nodes, Alive: alive,
		Links: p.sim.links[p.name], PeerLinks: p.links, Claims: p.claims, Expected: len(p.speakers),
		Steady: p.now-p.changed >= simSteady,
	}
}

// pass computes, and tells the others what there is to tell.
func (p *speaker) pass() {
	p.due = false
	if p.frozen {
		return // made up for when it thaws
	}
	p.state = p.computer.Compute(p.input())
	if len(p.state.Claims) == 0 {
		return
	}
	if p.trace != nil {
		p.trace("%v %s claims %v", p.now, p.name, describeClaims(p.state.Claims))
	}
	p.lastClaim = p.now
	p.claims = p.claims.With(p.state.Claims...)
	p.wake()
	for _, q := range p.speakers {
		p.tell(q, p.state.Claims)
	}
}

// tell sends claims to another speaker, until it has got them or is not alive.
func (p *speaker) tell(q *speaker, claims []desired.Claim) {
	if p == q || !p.alive[q.name] {
		return
	}
	delay := p.within(simDelay)
	switch luck := p.Float64(); {
	case luck < simLoss:
		p.later(simResend, func() { p.tell(q, claims) })
		return
	case luck < simLoss+simLate:
		delay = p.within(simLateDelay)
	}
	q.later(delay, func() {
		if p.reaches(q) {
			q.hear(q.claims.With(claims...))
		}
	})
}

func describeClaims(claims []desired.Claim) (out []string) {
	for _, c := range claims {
		weak := ""
		if c.Weak {
			weak = "w"
		}
		out = append(out, fmt.Sprintf("%v:%s/%d%s", c.Address, c.Node, c.Epoch, weak))
	}
	return out
}
