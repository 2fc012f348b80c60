package desired_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
)

// randomClaims returns some, of few addresses.
func randomClaims(r *rand.Rand, n int) (out []desired.Claim) {
	for range n {
		out = append(out, desired.Claim{
			Address: netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(100))}),
			Node:    []string{"n1", "n2", "n3"}[r.IntN(3)], Epoch: 1 + r.Uint64N(4), Weak: r.IntN(2) == 0,
		})
	}
	return out
}

func byClaimed(a, b desired.Claim) int { return a.Address.Compare(b.Address) }

// Claims are a map in which the greater one stays, whatever the order; they
// are never written; and Changed finds what differs.
func TestClaims(t *testing.T) {
	r := newRandom(t)
	type kept struct {
		claims *desired.Claims
		model  map[netip.Addr]desired.Claim
	}
	history := []kept{{nil, map[netip.Addr]desired.Claim{}}}
	for range 200 {
		from := history[r.IntN(len(history))]
		now := kept{model: maps.Clone(from.model)}
		if r.IntN(6) == 0 {
			drop := byte(r.IntN(100))
			now.claims = from.claims.Keep(func(a netip.Addr) bool { return a.As4()[3] != drop })
			maps.DeleteFunc(now.model, func(a netip.Addr, _ desired.Claim) bool { return a.As4()[3] == drop })
		} else {
			claims := randomClaims(r, r.IntN(40))
			for _, c := range claims {
				if old, ok := now.model[c.Address]; !ok || c.Compare(old) > 0 {
					now.model[c.Address] = c
				}
			}
			now.claims = from.claims.With(claims...)
			r.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
			for a := range from.claims.With(claims...).Changed(now.claims) {
				t.Fatalf("the order matters to %v", a)
			}
		}
		if maps.Equal(now.model, from.model) && now.claims != from.claims {
			t.Fatal("nothing is new, but the Claims are")
		}
		history = append(history, now)
	}
	for i, k := range history {
		got := slices.SortedFunc(k.claims.All(), byClaimed)
		want := slices.SortedFunc(maps.Values(k.model), byClaimed)
		if diff := gocmp.Diff(want, got, byValue); diff != "" || k.claims.Len() != len(want) {
			t.Fatalf("Claims %d with %d (-model +got):\n%s", i, k.claims.Len(), diff)
		}
		other := history[r.IntN(len(history))]
		changed := slices.SortedFunc(k.claims.Changed(other.claims), netip.Addr.Compare)
		var differ []netip.Addr
		for _, c := range randomAddresses() {
			if k.model[c] != other.model[c] {
				differ = append(differ, c)
			}
			if k.claims.Of(c) != k.model[c] {
				t.Fatalf("Of(%v) is %+v, want %+v", c, k.claims.Of(c), k.model[c])
			}
		}
		if !slices.Equal(changed, differ) {
			t.Fatalf("Changed: %v, want %v", changed, differ)
		}
	}
}

// randomAddresses returns all that randomClaims takes some of, sorted.
func randomAddresses() (out []netip.Addr) {
	for i := range byte(2) {
		for j := range byte(100) {
			out = append(out, netip.AddrFrom4([4]byte{10, 0, i, j}))
		}
	}
	return out
}

// Compare is an order of the claims of an address: total, and the same from
// both sides.
func TestClaimCompare(t *testing.T) {
	r := newRandom(t)
	claims := randomClaims(r, 300)
	for i := range claims {
		claims[i].Address = claims[0].Address
	}
	slices.SortFunc(claims, desired.Claim.Compare)
	for i, a := range claims {
		for j, b := range claims {
			switch c := a.Compare(b); {
			case c != -b.Compare(a), (c == 0) != (a == b), i < j && c > 0, i > j && c < 0:
				t.Fatalf("%+v and %+v compare as %d, and in turn as %d", a, b, c, b.Compare(a))
			}
		}
	}
	weak := desired.Claim{Node: "n1", Epoch: 2, Weak: true}
	for _, lesser := range []desired.Claim{{}, {Node: "n2", Epoch: 1}, {Node: "n2", Epoch: 1, Weak: true}} {
		if weak.Compare(lesser) <= 0 {
			t.Errorf("%+v is not better than %+v", weak, lesser)
		}
	}
	if strong := (desired.Claim{Node: "n2", Epoch: 2}); strong.Compare(weak) <= 0 {
		t.Errorf("%+v is not better than %+v", strong, weak)
	}
}

// One claim in many is cheap.
func BenchmarkClaimsWithOne(b *testing.B) {
	var all []desired.Claim
	for i := range 10000 {
		all = append(all, desired.Claim{Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Node: "n1", Epoch: 1})
	}
	claims := (*desired.Claims)(nil).With(all...)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % len(all)
		all[i].Epoch++
		next := claims.With(all[i])
		for range next.Changed(claims) {
			claims = next
		}
	}
}
