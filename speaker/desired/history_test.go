package desired_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// These laws are about speakers that hear each other at once, over any history
// of Services, nodes, links and objects. What gossip makes of them is the
// matter of the simulation.

// addresses returns those that Services hold, each once.
func (c cluster) addresses() (out []netip.Addr) {
	for _, s := range c.services {
		out = append(out, s.Addresses...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// holders returns who announces each address, and fails when two do, when
// somebody who may not does, or when nobody does though somebody may.
func holders(t *testing.T, c cluster, states map[string]desired.State) map[netip.Addr]string {
	t.Helper()
	out := map[netip.Addr]string{}
	for _, node := range c.speakers {
		for _, a := range states[node].Layer2 {
			if other, ok := out[a.Address]; ok {
				t.Fatalf("%v has two holders, %s and %s\n%s", a.Address, other, node, c.describe())
			}
			out[a.Address] = node
		}
	}
	for _, addr := range c.addresses() {
		field, _ := modelField(c.input("nobody"), addr)
		if holder := out[addr]; len(field) == 0 && holder != "" || len(field) > 0 && !field[holder] {
			t.Fatalf("%v is held by %q, want one of %v\n%s", addr, holder, field, c.describe())
		}
	}
	for _, node := range c.speakers {
		for d := range states[node].Declined.All() {
			if d.Holder != "" && c.alive[node] && d.Holder != out[d.Address] {
				t.Fatalf("%s takes %s for the holder of %v, which is %q\n%s", node, d.Holder, d.Address, out[d.Address], c.describe())
			}
		}
	}
	return out
}

// After any change every address with a candidate has one holder, which all
// know, within a few exchanges; it is the one from before if that still may,
// wherever there is no failback and nobody edited anything; and with failback
// it is the address's home, whatever was before.
func TestHistories(t *testing.T) {
	w := world{Rand: newRandom(t), t: t}
	for range rounds / 2 {
		c := w.cluster()
		town := &town{computers: map[string]*desired.Computer{}}
		before := holders(t, c, town.settle(t, c))
		for range 30 {
			old := c.clone()
			old.claims = town.claims
			w.change(&c)
			c.speakers = speakersOf(c)
			after := holders(t, c, town.settle(t, c))
			for addr, was := range before {
				checkMove(t, move{addr, was, after[addr], old.claims.Of(addr).Weak}, old, c)
			}
			for addr, holder := range after {
				if home := homes(t, c, addr); home != "" && holder != home {
					t.Fatalf("%v is at %s, not at home, %s\n%s", addr, holder, home, c.describe())
				}
			}
			before = after
		}
	}
}

// speakersOf returns the nodes that changes have made.
func speakersOf(c cluster) []string {
	all := maps.Clone(c.alive)
	for name := range c.links {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

type move struct {
	addr     netip.Addr
	from, to string
	weak     bool // whether the claim was
}

// checkMove fails when an address moved though its holder may still have it.
func checkMove(t *testing.T, m move, old, now cluster) {
	t.Helper()
	if m.from == m.to || m.weak || old.config != now.config {
		return // what was claimed first of all is placed anew when there is a majority
	}
	in := now.input("nobody")
	if !slices.Equal(sharers(in, m.addr), sharers(old.input("nobody"), m.addr)) {
		return // a change of what the address is for may be one of who is preferred
	}
	if field, _ := modelField(in, m.addr); field[m.from] && !goesHome(in, m.addr) {
		t.Fatalf("%v moved from %s to %s\nbefore\n%s\nafter\n%s", m.addr, m.from, m.to, old.describe(), now.describe())
	}
}

// homes returns the home of an address with failback, found by asking who gets
// it if it is all that there is; "" for an address without failback.
func homes(t *testing.T, c cluster, addr netip.Addr) string {
	t.Helper()
	if !goesHome(c.input("nobody"), addr) {
		return ""
	}
	alone := c.clone()
	alone.services, alone.claims = nil, nil
	for _, s := range sharers(c.input("nobody"), addr) {
		one := *s
		one.Addresses = []netip.Addr{addr}
		alone.services = append(alone.services, &one)
	}
	return elected(t, alone)[addr]
}

// plain returns a cluster of nodes that are all alike, and Services with one
// address each.
func plain(t *testing.T, nodes, services int, ads ...string) cluster {
	t.Helper()
	s := script{}
	s.apply(t, "pool all 10.0.0.0/8\nl2 all "+fmt.Sprint(ads)[1:len(fmt.Sprint(ads))-1])
	for i := range nodes {
		s.apply(t, fmt.Sprintf("node n%d name=n%d", i, i))
	}
	for i := range services {
		s.apply(t, fmt.Sprintf("service ns/s%d 10.1.%d.%d on=n0", i, i/250, i%250+1))
	}
	return s.cluster(t)
}

// count returns how many addresses each node holds.
func count(holders map[netip.Addr]string) map[string]int {
	out := map[string]int{}
	for _, node := range holders {
		out[node]++
	}
	return out
}

// spread fails when the fullest of some nodes has more than one address more
// than the emptiest.
func spread(t *testing.T, what string, held map[string]int, nodes ...string) {
	t.Helper()
	var counts []int
	for _, n := range nodes {
		counts = append(counts, held[n])
	}
	if slices.Max(counts)-slices.Min(counts) > 1 {
		t.Errorf("%s: the nodes hold %v", what, held)
	}
}

// Addresses are spread evenly when they come, one by one or all at once; those
// of a node that dies or leaves are spread evenly over the rest; and a node
// that comes back takes nothing.
func TestSpreadOfHistories(t *testing.T) {
	for _, services := range []int{3, 10, 30, 100, 1000} {
		c := plain(t, 3, services)
		town := &town{computers: map[string]*desired.Computer{}}
		spread(t, "all at once", count(holders(t, c, town.settle(t, c))), "n0", "n1", "n2")
	}
	c := plain(t, 4, 100)
	all := c.services
	oneByOne := &town{computers: map[string]*desired.Computer{}}
	var before map[netip.Addr]string
	for i := range all {
		c.services = all[:i+1]
		before = holders(t, c, oneByOne.settle(t, c))
		spread(t, "one by one", count(before), "n0", "n1", "n2", "n3")
	}
	for _, how := range []string{"dies", "leaves"} {
		c.alive["n1"], c.leaving = false, map[string]bool{"n1": how == "leaves"}
		after := holders(t, c, oneByOne.settle(t, c))
		if held := count(after); held["n1"] != 0 {
			t.Fatalf("n1 %s and holds %d addresses", how, held["n1"])
		}
		spread(t, "n1 "+how, count(after), "n0", "n2", "n3")
		for addr, was := range before {
			if was != "n1" && after[addr] != was {
				t.Errorf("%v moved from %s to %s as n1 %s", addr, was, after[addr], how)
			}
		}
		c.alive["n1"], c.leaving = true, nil
		if diff := gocmp.Diff(after, holders(t, c, oneByOne.settle(t, c)), byValue); diff != "" {
			t.Errorf("n1 %s and came back (-before +after):\n%s", how, diff)
		}
		oneByOne = &town{computers: map[string]*desired.Computer{}}
		before = holders(t, c, oneByOne.settle(t, c))
	}
}

// With failback a node that comes back has again what it had, and nothing else
// moves.
func TestFailback(t *testing.T) {
	c := plain(t, 4, 100, "failback")
	town := &town{computers: map[string]*desired.Computer{}}
	before := holders(t, c, town.settle(t, c))
	c.alive["n2"] = false
	without := holders(t, c, town.settle(t, c))
	for addr, was := range before {
		if was != "n2" && without[addr] != was {
			t.Errorf("%v moved from %s to %s without n2", addr, was, without[addr])
		}
	}
	c.alive["n2"] = true
	if diff := gocmp.Diff(before, holders(t, c, town.settle(t, c)), byValue); diff != "" {
		t.Errorf("n2 came back (-before +after):\n%s", diff)
	}
}

// An operator who edits preferences moves addresses to better nodes; a better
// node that comes back moves none.
func TestPreferencesEdited(t *testing.T) {
	c := plain(t, 3, 30)
	town := &town{computers: map[string]*desired.Computer{}}
	before := holders(t, c, town.settle(t, c))
	prefer := func(ad string) *config.Config { return plain(t, 0, 0, ad).config }
	c.config = prefer("prefer=5:name=n1")
	if held := count(holders(t, c, town.settle(t, c))); held["n1"] != 30 {
		t.Errorf("n1 is preferred: the nodes hold %v", held)
	}
	c.alive["n1"] = false
	spread(t, "n1 dies", count(holders(t, c, town.settle(t, c))), "n0", "n2")
	c.alive["n1"] = true
	spread(t, "n1 is back", count(holders(t, c, town.settle(t, c))), "n0", "n2")
	c.config = prefer("prefer=6:name=n1")
	if held := count(holders(t, c, town.settle(t, c))); held["n1"] != 30 {
		t.Errorf("n1 is preferred again: the nodes hold %v", held)
	}
	c.config = prefer("")
	if held := count(holders(t, c, town.settle(t, c))); held["n1"] != 30 {
		t.Errorf("nobody is preferred: the nodes hold %v, before %v", held, count(before))
	}
}

// Who takes over from a weak claim does not know better than who made it,
// however sure of itself it is; an address that nobody claimed is claimed for
// good.
func TestWeakIsInherited(t *testing.T) {
	c := plain(t, 3, 3)
	c.alive["n2"], c.expected, c.steady = false, 3, true
	weak := desired.Claim{Address: c.services[0].Addresses[0], Node: "n2", Epoch: 4, Weak: true}
	strong := desired.Claim{Address: c.services[1].Addresses[0], Node: "n2", Epoch: 4}
	c.claims = c.claims.With(weak, strong)
	want := map[netip.Addr]desired.Claim{
		weak.Address:               {Epoch: 5, Weak: true},
		strong.Address:             {Epoch: 5},
		c.services[2].Addresses[0]: {Epoch: 1},
	}
	got := map[netip.Addr]desired.Claim{}
	for _, node := range []string{"n0", "n1"} {
		for _, claim := range desired.Compute(c.input(node)).Claims {
			got[claim.Address] = desired.Claim{Epoch: claim.Epoch, Weak: claim.Weak}
		}
	}
	if diff := gocmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
