package desired_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// rounds is how many random clusters a law is checked on.
const rounds = 150

func sameAddr(a, b netip.Addr) bool { return a == b }

// byValue compares what cmp cannot look into. Peers are those of the Config.
var byValue = gocmp.Options{
	gocmp.Comparer(sameAddr),
	gocmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	gocmp.Comparer(func(a, b *config.Peer) bool { return a == b }),
}

// elected returns the holder of each address that is announced, and fails when
// there are two.
func elected(t *testing.T, c cluster) map[netip.Addr]string {
	t.Helper()
	holders := map[netip.Addr]string{}
	for _, node := range c.speakers {
		for _, a := range desired.Compute(c.input(node)).Layer2 {
			if other, ok := holders[a.Address]; ok {
				t.Fatalf("%v has two holders, %s and %s\n%s", a.Address, other, node, c.describe())
			}
			holders[a.Address] = node
		}
	}
	return holders
}

// Exactly one candidate elects itself for every address that has candidates,
// and it is one of the best; nobody does for the others.
func TestExactlyOneElectsItself(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds {
		c := w.cluster()
		holders := elected(t, c)
		in := c.input("nobody")
		for _, s := range c.services {
			for _, addr := range s.Addresses {
				best := finalists(in, addr)
				if holder := holders[addr]; len(best) == 0 && holder != "" || len(best) > 0 && !best[holder] {
					t.Fatalf("%v is held by %q, want one of %v\n%s", addr, holder, best, c.describe())
				}
			}
		}
	}
}

// Every node's State is what the model says, whatever links the nodes have.
func TestStateIsThatOfTheModel(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds {
		c := w.cluster()
		holders := elected(t, c)
		for _, node := range c.speakers {
			want, got := model(c.input(node), holders), desired.Compute(c.input(node))
			got.Declined = desired.Declines{sortedDeclines(got.Declined)}
			if diff := gocmp.Diff(want, got, byValue); diff != "" {
				t.Fatalf("%s (-model +got):\n%s\n%s", node, diff, c.describe())
			}
		}
	}
}

// What a starting speaker says by BGP is what it says when it has learned the
// claims.
func TestComputeBGP(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds {
		c := w.cluster()
		for _, node := range c.speakers {
			whole, got := desired.Compute(c.input(node)), desired.ComputeBGP(c.input(node))
			want := desired.State{BGP: whole.BGP}
			for _, part := range whole.Declined {
				want.Declined = append(want.Declined, slices.DeleteFunc(slices.Clone(part), func(d desired.Declined) bool {
					return d.Protocol != desired.ProtocolBGP
				}))
			}
			if want.Declined.Len() == 0 {
				want.Declined = nil
			}
			if diff := gocmp.Diff(want, got, byValue, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s (-whole +got):\n%s\n%s", node, diff, c.describe())
			}
		}
	}
	if diff := gocmp.Diff(desired.State{}, desired.ComputeBGP(desired.Input{Node: "n1"}), byValue); diff != "" {
		t.Errorf("without a Config (-want +got):\n%s", diff)
	}
}

// The order of an Input's slices does not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds {
		c := w.cluster()
		for _, node := range c.speakers {
			in := c.input(node)
			want := desired.Compute(in)
			in.Services, in.Nodes, in.Links = slices.Clone(in.Services), slices.Clone(in.Nodes), slices.Clone(in.Links)
			w.Shuffle(len(in.Services), func(i, j int) { in.Services[i], in.Services[j] = in.Services[j], in.Services[i] })
			w.Shuffle(len(in.Nodes), func(i, j int) { in.Nodes[i], in.Nodes[j] = in.Nodes[j], in.Nodes[i] })
			w.Shuffle(len(in.Links), func(i, j int) { in.Links[i], in.Links[j] = in.Links[j], in.Links[i] })
			if diff := gocmp.Diff(want, desired.Compute(in), byValue); diff != "" {
				t.Fatalf("%s (-as given +shuffled):\n%s\n%s", node, diff, c.describe())
			}
		}
	}
}

// Sharers never split: on every node, each Service either is among those that
// its address is announced for, once, or is declined, once; all that are
// announced at all are at one node; and nobody announces for a Service that no
// endpoint serves, under the policy Local none on that node.
func TestSharersStayTogether(t *testing.T) {
	w := world{Rand: newRandom(t), t: t, alike: true}
	for range rounds {
		c := w.cluster()
		elected(t, c)
		for _, node := range c.speakers {
			if err := accountsForAll(c, node, desired.Compute(c.input(node))); err != nil {
				t.Fatalf("%s: %v\n%s", node, err, c.describe())
			}
		}
	}
}

// accountsForAll checks that a State has each Service's addresses once.
func accountsForAll(c cluster, node string, s desired.State) error {
	type claim struct {
		service  string
		addr     netip.Addr
		protocol desired.Protocol
	}
	seen := map[claim]int{}
	for d := range s.Declined.All() {
		seen[claim{d.Service, d.Address, d.Protocol}]++
		if (d.Reason == desired.NotElected) != (d.Holder != "") || d.Reason == 0 {
			return fmt.Errorf("%+v: holder and reason do not fit", *d)
		}
	}
	services := map[string]*desired.Service{}
	for _, svc := range c.services {
		services[svc.Key] = svc
	}
	for _, a := range s.Layer2 {
		for _, key := range a.Services {
			seen[claim{key, a.Address, desired.ProtocolLayer2}]++
			svc := services[key]
			if !servesAnywhere(svc) || svc.Local && !svc.Serving[node] {
				return fmt.Errorf("%v is announced for %s, which nothing serves", a.Address, key)
			}
		}
	}
	held := map[claim]bool{}
	for _, svc := range c.services {
		for _, addr := range svc.Addresses {
			held[claim{svc.Key, addr, desired.ProtocolLayer2}] = true
			if len(c.config.BGPAdvertisements) > 0 {
				held[claim{svc.Key, addr, desired.ProtocolBGP}] = true
			}
		}
	}
	for cl := range held {
		if cl.protocol != desired.ProtocolBGP {
			continue
		}
		// An address that is declined may be in the aggregate of another one of its
		// Service's.
		if is, alone := routed(s.BGP, cl.service, cl.addr); alone || is && seen[cl] == 0 {
			seen[cl]++
		}
	}
	for cl, n := range seen {
		if n != 1 || !held[cl] {
			return fmt.Errorf("%v is accounted for %d times, held: %v", cl, n, held[cl])
		}
	}
	if len(seen) != len(held) {
		return fmt.Errorf("%d of %d claims are accounted for", len(seen), len(held))
	}
	return nil
}

// What a Computer keeps to be fast never changes an answer: over any history,
// of claims too, one that has only the memory of the past answers the same. And
// no Input is written.
func TestRememberedEqualsFresh(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds / 2 {
		c := w.cluster()
		c.speakers = []string{"n0", "n1", "n2"}
		computers, claims := map[string]*desired.Computer{}, map[string]*desired.Claims{}
		for step := range 40 {
			now := c.clone()
			for _, node := range c.speakers {
				if computers[node] == nil || w.IntN(200) == 0 {
					computers[node] = &desired.Computer{}
				}
				now.claims = claims[node]
				in := now.input(node)
				kept := deepCopy(in)
				state := computeTwice(t, computers[node], in)
				if diff := gocmp.Diff(kept.Services, in.Services, byValue); diff != "" {
					t.Fatalf("step %d: the Input was written (-before +after):\n%s", step, diff)
				}
				if w.IntN(10) != 0 {
					claims[node] = claims[node].With(state.Claims...)
				}
				for _, other := range c.speakers {
					claims[other] = claims[other].With(w.claims(state.Claims, claims[node])...)
				}
			}
			w.change(&c)
		}
	}
}

// claims returns some of those that a speaker makes, and some that are as if
// somebody else had changed those that are known.
func (w world) claims(made []desired.Claim, known *desired.Claims) (out []desired.Claim) {
	for _, c := range made {
		if w.IntN(2) == 0 {
			out = append(out, c)
		}
	}
	for c := range known.All() {
		if w.IntN(25) == 0 {
			c.Node, c.Weak = w.pick("n0", "n1", "n2", "n3", "gone"), w.IntN(2) == 0
			c.Epoch += w.Uint64N(3)
			out = append(out, c)
		}
	}
	return out
}

// deepCopy copies the parts of an Input that Compute might be tempted to sort.
func deepCopy(in desired.Input) desired.Input {
	in.Services = slices.Clone(in.Services)
	for i, s := range in.Services {
		c := *s
		c.Addresses, c.Serving = slices.Clone(s.Addresses), maps.Clone(s.Serving)
		in.Services[i] = &c
	}
	return in
}

// A State is as it was when it was returned, whatever comes after.
func TestStateIsFrozen(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	c := w.cluster()
	var computer desired.Computer
	type kept struct{ state, copied desired.State }
	var states []kept
	for range 200 {
		in := c.clone().input("n0")
		copied := computer.Aside().Compute(in)
		state := computer.Compute(in)
		states = append(states, kept{state, copied})
		c.claims = c.claims.With(state.Claims...).With(w.claims(nil, c.claims)...)
		w.change(&c)
	}
	for i, k := range states {
		if diff := gocmp.Diff(k.copied, k.state, byValue); diff != "" {
			t.Fatalf("State %d was written later (-then +now):\n%s", i, diff)
		}
	}
}

// A key that comes twice breaks the contract; the later Service counts, and
// nothing of it stays.
func TestKeyTwice(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds {
		c := w.cluster()
		if len(c.services) < 2 {
			continue
		}
		var computer desired.Computer
		computer.Compute(c.input("n0"))
		twice := c.clone()
		at := w.IntN(len(twice.services))
		twice.services[at] = w.service(twice.services[(at+1)%len(twice.services)].Key)
		for i, cl := range []cluster{twice, c, twice, twice, c} {
			in := cl.input("n0")
			want := computer.Aside().Compute(in)
			if diff := gocmp.Diff(want, computer.Compute(in), byValue); diff != "" {
				t.Fatalf("step %d (-fresh +remembered):\n%s\n%s", i, diff, cl.describe())
			}
		}
	}
}
