package layer2

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
)

// keptAddrs are the addresses of TestKept. Two of IPv6 share their group and
// their key.
var keptAddrs = []string{
	"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "198.51.100.7",
	"2001:db8::1:2", "2001:db8:7::1:2", "2001:db8::77", "2001:db8::78",
}

// Law: what is kept up to date bit by bit is what it would be if it were made
// anew: what a port holds, its filter and its groups follow from what is wanted,
// and what is published follows from what the ports hold. So it is after any
// history of sets, of claims by others, and of interfaces that come and go.
func TestKept(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			simulate(t, newSimLAN("h0", "h1"), func(t *testing.T, r *rig) {
				k := &keeper{rig: r, rnd: rand.New(rand.NewPCG(seed, 0)), there: true}
				for range 150 {
					k.step(t)
					synctest.Wait()
					_ = r.a.requests.Do(t.Context(), func(e *engine) error { k.check(t, e); return nil })
				}
			})
		})
	}
}

// A keeper makes a history.
type keeper struct {
	*rig
	rnd   *rand.Rand
	want  []desired.Layer2Address
	there bool // h1 is
}

// step has something happen.
func (k *keeper) step(t *testing.T) {
	switch n := k.rnd.IntN(10); {
	case n == 0 && k.there:
		k.remove("h1")
		k.there = false
	case n == 0:
		k.create("h1")
		k.there = true
	case n < 4:
		k.send("h0", claimBy(t, stranger, keptAddrs[k.rnd.IntN(len(keptAddrs))]))
	case n < 6 && len(k.want) > 0: // one alone changes
		k.want = slices.Clone(k.want)
		k.want[k.rnd.IntN(len(k.want))].Yield = k.rnd.IntN(2) == 0
		_ = k.a.Set(t.Context(), k.want)
	default:
		k.want = nil
		for _, a := range keptAddrs {
			on := [][]string{nil, {"h0"}, {"h1"}, {"h0", "h1"}}[k.rnd.IntN(4)]
			if on != nil {
				k.want = append(k.want, desired.Layer2Address{Address: ip(t, a), Interfaces: on, Yield: k.rnd.IntN(4) == 0})
			}
		}
		_ = k.a.Set(t.Context(), k.want)
	}
}

// check compares what the engine keeps with what it follows from.
func (k *keeper) check(t *testing.T, e *engine) {
	t.Helper()
	led := map[netip.Addr][]string{}
	for key, p := range e.ports {
		var keys []uint32
		groups := map[netip.Addr]int{}
		for a, s := range p.holding.addrs {
			i := slices.IndexFunc(k.want, func(w desired.Layer2Address) bool { return w.Address == a })
			if i < 0 || !slices.Contains(k.want[i].Interfaces, key.name) || (s == yielded) != k.want[i].Yield {
				t.Fatalf("%s is %d on %s, which is not wanted", a, s, key.name)
			}
			keys = append(keys, p.wire.key(a))
			if g, ok := p.wire.group(a); ok {
				groups[g]++
			}
			led[a] = append(led[a], key.name)
		}
		slices.Sort(keys)
		joined := slices.SortedFunc(maps.Keys(p.joined), netip.Addr.Compare)
		need := slices.SortedFunc(maps.Keys(groups), netip.Addr.Compare)
		if !slices.Equal(keys, p.keys) || !maps.Equal(groups, p.groups) || !slices.Equal(need, joined) {
			t.Fatalf("%s: keys %v and groups %v of %v", key.name, p.keys, p.groups, p.holding.addrs)
		}
		k.checkFilter(t, p)
	}
	for _, w := range k.want {
		for _, name := range w.Interfaces {
			if !w.Yield && (name != "h1" || k.there) && !slices.Contains(led[w.Address], name) {
				t.Fatalf("%s is not answered for on %s", w.Address, name)
			}
		}
	}
	k.checkPublished(t, e, led)
}

// checkFilter checks that a filter passes what is held and, unless something was
// released since it was made, nothing else.
func (k *keeper) checkFilter(t *testing.T, p *port) {
	t.Helper()
	for _, s := range keptAddrs {
		a := ip(t, s)
		if a.Is6() != p.key.six {
			continue
		}
		frame, _ := question(t, p.link.mac, s)
		passes, held := p.conn.(*simConn).passes(frame), slices.Contains(p.keys, p.wire.key(a))
		if passes != held && (held || !p.stale) {
			t.Fatalf("%s: filter passes %s: %v, want %v", p.key.name, s, passes, held)
		}
	}
}

// checkPublished compares what is published with what is answered for.
func (k *keeper) checkPublished(t *testing.T, e *engine, led map[netip.Addr][]string) {
	t.Helper()
	want, counts := map[string][]string{}, map[string]int{}
	for a, names := range led {
		slices.Sort(names)
		want[a.String()] = names
		for _, name := range names {
			counts[name]++
		}
	}
	if diff := cmp.Diff(want, sortedLed(e.Announcer)); diff != "" {
		t.Fatalf("Led (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(e.Led(), func(a, b Led) int { return a.Address.Compare(b.Address) }) {
		t.Fatalf("Led is not sorted: %v", e.Led())
	}
	if !maps.Equal(counts, e.answered) || len(e.since) != len(led) {
		t.Fatalf("counts %v and since %v of %v", e.answered, e.since, led)
	}
}
