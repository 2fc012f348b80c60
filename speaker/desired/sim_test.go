package desired_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

var historyFlag = flag.Int("history", -1, "number of the one history to simulate, and to tell about")

// How long a simulated cluster has to settle: at first, and after everything.
const (
	simSettle = 12 * time.Second
	simCalm   = 14 * time.Second
	simQuiet  = 4 * time.Second // of these, at the end, in which nothing moves
	simMoves  = 5               // at most, of an address in a fault
)

// simulate runs histories of a kind. Each has a random source of its own, so
// that -seed and -history repeat it.
func simulate(t *testing.T, histories int, plan func(r *rand.Rand) simPlan) {
	t.Helper()
	seed := newRandom(t).Uint64()
	if *seedFlag != 0 {
		seed = *seedFlag
	}
	began, passed := time.Now(), 0
	for i := range histories {
		if *historyFlag >= 0 && i != *historyFlag {
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		if err := history(t, world{Rand: r, t: t}, plan(r)); err != nil {
			t.Fatalf("-seed=%d -history=%d: %v", seed, i, err)
		}
		passed++
	}
	t.Logf("%d histories, %.0f a second", passed, float64(passed)/time.Since(began).Seconds())
}

// history simulates one and checks the laws at its end.
func history(t *testing.T, w world, plan simPlan) error {
	s := newSim(t, w, plan)
	if *historyFlag >= 0 {
		s.trace = t.Logf
		t.Logf("%+v", plan)
	}
	s.run(simSettle)
	before, err := s.leaders()
	if err != nil {
		return fmt.Errorf("at the start: %w", err)
	}
	odd, epochs := map[string]bool{}, s.speakers[0].claims
	for range plan.faults {
		s.fault(plan.apart)
		for _, name := range s.odd() {
			odd[name] = true
		}
		s.run(s.now + s.within(7*time.Second))
	}
	s.calm()
	if s.trace != nil {
		s.trace("%v calm", s.now)
	}
	s.run(s.now + simCalm)
	after, err := s.leaders()
	if err != nil {
		return err
	}
	if quiet := s.now - s.lastClaim; quiet < simQuiet {
		return fmt.Errorf("something was still claimed %v ago", quiet)
	}
	if plan.apart {
		for addr, was := range before {
			if !odd[was] && !plan.failback && after[addr] != was {
				return fmt.Errorf("%v moved from %s to %s", addr, was, after[addr])
			}
		}
	}
	return s.bounded(plan, epochs)
}

// bounded checks that addresses have not moved too often: a fault can take an
// address from its holder, and give it back when the parts meet again, in each
// of the parts.
func (s *sim) bounded(plan simPlan, before *desired.Claims) error {
	most := simMoves * (1 + plan.faults)
	for _, p := range s.speakers {
		for c := range p.claims.All() {
			if moves := int(c.Epoch) - int(before.Of(c.Address).Epoch); moves > most {
				return fmt.Errorf("%v has moved %d times in %d faults", c.Address, moves, plan.faults)
			}
		}
	}
	return nil
}

// cluster is what is true, as the model wants it.
func (s *sim) cluster() cluster {
	c := cluster{config: s.facts.config, services: s.facts.services, nodes: s.facts.nodes, links: s.links, alive: map[string]bool{}}
	for _, p := range s.speakers {
		c.speakers = append(c.speakers, p.name)
		c.alive[p.name] = p.running
	}
	return c
}

// leaders returns who announces each address, and an error unless all speakers
// agree, and there is exactly one for each address that has a candidate.
func (s *sim) leaders() (map[netip.Addr]string, error) {
	var claims *desired.Claims
	leaders := map[netip.Addr]string{}
	for _, p := range s.speakers {
		if !p.running {
			continue
		}
		if claims == nil {
			claims = p.claims
		}
		for addr := range p.claims.Changed(claims) {
			return nil, fmt.Errorf("%s has heard %+v, others %+v", p.name, p.claims.Of(addr), claims.Of(addr))
		}
		for _, a := range p.state.Layer2 {
			if other, ok := leaders[a.Address]; ok {
				return nil, fmt.Errorf("%v has two holders, %s and %s", a.Address, other, p.name)
			}
			leaders[a.Address] = p.name
		}
	}
	in := s.cluster().input("nobody")
	for _, svc := range s.facts.services {
		addr := svc.Addresses[0]
		field, _ := modelField(in, addr)
		if leader := leaders[addr]; len(field) == 0 && leader != "" || len(field) > 0 && !field[leader] {
			return nil, fmt.Errorf("%v is held by %q, want one of %v; claim %+v", addr, leader, field, claims.Of(addr))
		}
	}
	for _, p := range s.speakers {
		for d := range p.state.Declined.All() {
			if p.running && d.Holder != "" && d.Holder != leaders[d.Address] {
				return nil, fmt.Errorf("%s takes %s for the holder of %v, which is %q", p.name, d.Holder, d.Address, leaders[d.Address])
			}
		}
	}
	return leaders, nil
}

// Whatever happens, and whatever gossip is lost, late or out of order: once it
// is over, every address that somebody may announce is announced by one
// speaker, and all agree on which.
func TestSimulation(t *testing.T) {
	simulate(t, 1000, func(r *rand.Rand) simPlan {
		return simPlan{speakers: 2 + r.IntN(4), services: 1 + r.IntN(5), faults: 1 + r.IntN(6), failback: r.IntN(5) == 0, hasty: r.IntN(2) == 0}
	})
}

// When the network falls apart and is whole again, an address stays with a
// holder who was never without a majority while others had one.
func TestSimulationApart(t *testing.T) {
	simulate(t, 1000, func(r *rand.Rand) simPlan {
		return simPlan{speakers: 2 + r.IntN(5), services: 1 + r.IntN(5), faults: 1 + r.IntN(6), apart: true}
	})
}

// The same with many speakers.
func TestSimulationOfMany(t *testing.T) {
	simulate(t, 1, func(r *rand.Rand) simPlan {
		return simPlan{speakers: 100 + r.IntN(101), services: 40, faults: 2, apart: r.IntN(2) == 0}
	})
}
