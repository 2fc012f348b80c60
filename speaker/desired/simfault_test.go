package desired_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// A plan says of what kind a history is.
type simPlan struct {
	speakers, services, faults int
	failback                   bool
	// apart allows only faults of the network and pauses, so that who was never
	// the odd one out keeps its addresses.
	apart bool
	// hasty is sim.hasty.
	hasty bool
}

// newSim returns a cluster of speakers that have started together.
func newSim(t *testing.T, w world, plan simPlan) *sim {
	ad := "l2 all"
	if plan.failback {
		ad += " failback"
	}
	s := &sim{Rand: w.Rand, hasty: plan.hasty, facts: &facts{}, links: map[string][]desired.Link{}}
	s.facts.config = simConfig(t, ad)
	for i := range plan.services {
		s.facts.services = append(s.facts.services, s.service(plan.speakers, i))
	}
	for i := range plan.speakers {
		name := fmt.Sprintf("n%d", i)
		s.facts.nodes = append(s.facts.nodes, desired.Node{Name: name})
		s.links[name] = oneLink()
		s.speakers = append(s.speakers, &speaker{sim: s, at: i, name: name})
	}
	for _, p := range s.speakers {
		s.after(s.within(2*time.Second), p.start)
		s.after(2*time.Second, s.look)
	}
	return s
}

// simConfigs are parsed once.
var simConfigs = map[string]*config.Config{}

func simConfig(t *testing.T, ad string) *config.Config {
	if simConfigs[ad] == nil {
		sc := script{}
		sc.apply(t, "pool all 10.0.0.0/8\n"+ad)
		simConfigs[ad] = sc.cluster(t).config
	}
	return simConfigs[ad]
}

// service returns a Service; some are Local to two nodes.
func (s *sim) service(nodes, i int) *desired.Service {
	svc := &desired.Service{Key: fmt.Sprintf("ns/s%d", i), Serving: map[string]bool{"n0": true}}
	svc.Addresses = append(svc.Addresses, simAddr(i))
	if s.IntN(4) == 0 {
		svc.Local = true
		svc.Serving = map[string]bool{
			fmt.Sprintf("n%d", s.IntN(nodes)): true, fmt.Sprintf("n%d", s.IntN(nodes)): true,
		}
	}
	return svc
}

// say changes what the API says.
func (s *sim) say(change func(f *facts)) {
	f := *s.facts
	f.services, f.nodes = slices.Clone(f.services), slices.Clone(f.nodes)
	f.version++
	change(&f)
	s.facts = &f
	s.learn()
}

// link takes a node's link down or up; the others are told by gossip.
func (s *sim) link(p *speaker, up bool) {
	s.links = maps.Clone(s.links)
	s.links[p.name] = []desired.Link{{Name: "eth0", Up: up}}
	p.wake()
	for _, q := range s.speakers {
		q.later(s.within(simFacts), func() {
			q.links = s.links
			q.wake()
		})
	}
}

// unavailable makes a node so, or not.
func (s *sim) unavailable(p *speaker, why desired.Reason) {
	s.say(func(f *facts) { f.nodes[p.at].Unavailable = why })
}

// fault has something bad happen, or something good again.
func (s *sim) fault(apart bool) {
	p := s.speakers[s.IntN(len(s.speakers))]
	kind := s.IntN(13)
	if apart {
		kind %= 5
	}
	if s.trace != nil {
		s.trace("%v fault %d at %s", s.now, kind, p.name)
	}
	switch kind {
	case 0, 1: // one is cut off, or not any more
		if p.group = 1 - min(p.group, 1); p.group == 1 {
			p.group = 1000 + p.at
		}
	case 2: // the network falls apart
		parts := 1 + s.IntN(3)
		for _, q := range s.speakers {
			q.group = s.IntN(parts)
		}
	case 3: // it is whole again
		for _, q := range s.speakers {
			q.group = 0
		}
	case 4: // one is paused, and goes on with all that it remembers
		if p.frozen {
			p.thaw()
		} else {
			p.frozen = true
		}
	case 5, 6:
		s.life(p)
	case 7, 8:
		s.unavailable(p, []desired.Reason{0, desired.NodeExcluded}[s.IntN(2)])
	case 9, 10:
		s.link(p, s.IntN(2) == 0)
	default:
		s.say(func(f *facts) {
			i := s.IntN(len(f.services))
			f.services[i] = s.service(len(s.speakers), i)
		})
	}
	s.look()
}

// life has a speaker die, leave or come back.
func (s *sim) life(p *speaker) {
	switch {
	case !p.running:
		p.start()
	case p.open && !p.frozen && s.IntN(2) == 0:
		p.leaving = true
		p.wake()
		p.later(300*time.Millisecond, func() {
			p.running = false
			s.look()
		})
	default:
		p.running = false
	}
}

// calm ends all faults but deaths.
func (s *sim) calm() {
	for _, p := range s.speakers {
		p.group = 0
		if p.frozen {
			p.thaw()
		}
	}
	s.look()
	s.learn()
	for _, p := range s.speakers {
		p.later(s.within(simFacts), func() {
			p.links = s.links
			p.wake()
		})
		// What was seen while things changed may be out of date.
		p.later(simDetect+s.within(simDetect), func() { p.see(s.speakers) })
	}
}

// odd returns the speakers who are not together with a majority though there
// is one: who have been the odd one out.
func (s *sim) odd() (names []string) {
	sizes := map[int]int{}
	for _, p := range s.speakers {
		if p.running && !p.frozen {
			sizes[p.group]++
		}
	}
	for _, p := range s.speakers {
		out := !p.running
		for group, n := range sizes {
			out = out || 2*n > len(s.speakers) && (p.frozen || p.group != group)
		}
		if out {
			names = append(names, p.name)
		}
	}
	return names
}
