package ledger_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// opts compare addresses by value.
var opts = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func claim(addr, node string, epoch uint64) desired.Claim {
	return desired.Claim{Address: netip.MustParseAddr(addr), Node: node, Epoch: epoch}
}

// number returns the i-th address, of either family in turn.
func number(i int) netip.Addr {
	if i%2 == 0 {
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
}

// claims returns n claims of as many IPv4 addresses, on three nodes.
func claims(n int) []desired.Claim {
	out := make([]desired.Claim, 0, n)
	for i := range n {
		out = append(out, claim("10.0.0.0", fmt.Sprintf("worker-%d.example", i%3), uint64(1+i%5)))
		out[i].Address = number(2 * i)
	}
	return out
}

// known returns what a Ledger knows in a form that can be compared.
func known(l *ledger.Ledger) any {
	all := map[netip.Addr]desired.Claim{}
	for c := range l.Claims().All() {
		all[c.Address] = c
	}
	return []any{all, l.Records()}
}

func TestMerge(t *testing.T) {
	old := claim("10.0.0.1", "a", 2)
	tests := []struct {
		name string
		in   []desired.Claim
		want []desired.Claim
	}{
		{name: "nothing"},
		{name: "another address", in: []desired.Claim{claim("10.0.0.2", "a", 1)}, want: []desired.Claim{claim("10.0.0.2", "a", 1)}},
		{name: "the same", in: []desired.Claim{old}},
		{name: "an older one", in: []desired.Claim{claim("10.0.0.1", "b", 1)}},
		{name: "a newer one", in: []desired.Claim{claim("10.0.0.1", "b", 3)}, want: []desired.Claim{claim("10.0.0.1", "b", 3)}},
		{name: "those that cannot be told", in: []desired.Claim{
			{}, {Node: "a", Epoch: 9}, claim("10.0.0.1", "", 9), claim("10.0.0.2", "a", 0), claim("10.0.0.2", "a", 1<<63),
			claim("fe80::1%eth0", "a", 9), claim("::ffff:10.0.0.1", "a", 9),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l ledger.Ledger
			l.Merge([]desired.Claim{old}, nil)
			before := l.Claims()
			n := l.Merge(tt.in, nil)
			if diff := cmp.Diff(tt.want, n.Claims, opts); diff != "" {
				t.Errorf("news (-want +got):\n%s", diff)
			}
			if n.Empty() != (l.Claims() == before) {
				t.Errorf("news is empty: %v, claims are the same: %v", n.Empty(), l.Claims() == before)
			}
		})
	}
}

// Whoever has heard the same knows the same, in whatever order and however
// often it was heard.
func TestMergeLaw(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var history []ledger.Message
		for range 1 + r.IntN(12) {
			history = append(history, randomMessage(r))
		}
		var first, second ledger.Ledger
		for _, m := range history {
			first.Merge(m.Claims, m.Records)
		}
		again := append(slices.Clone(history), history[r.IntN(len(history))])
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for _, m := range again {
			decoded, err := ledger.Decode(m.Encode())
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			second.Merge(decoded.Claims, decoded.Records)
		}
		if diff := cmp.Diff(known(&first), known(&second), opts); diff != "" {
			t.Fatalf("seed %d: (-first +second):\n%s", seed, diff)
		}
		whole, err := ledger.Decode(first.Whole("x", true).Encode())
		if err != nil {
			t.Fatal(err)
		}
		if n := second.Merge(whole.Claims, whole.Records); !n.Empty() {
			t.Fatalf("seed %d: news after all was heard: %v", seed, n)
		}
	}
}

// randomMessage returns a message about few addresses and nodes.
func randomMessage(r *rand.Rand) ledger.Message {
	m := ledger.Message{From: fmt.Sprint("node-", r.IntN(3)), Complete: r.IntN(2) == 0}
	for range r.IntN(5) {
		m.Claims = append(m.Claims, desired.Claim{
			Address: number(r.IntN(4)), Node: fmt.Sprint("node-", r.IntN(3)), Epoch: 1 + r.Uint64N(3), Weak: r.IntN(2) == 0,
		})
	}
	for range r.IntN(3) {
		links := []desired.Link(nil)
		for i := range r.IntN(3) {
			links = append(links, desired.Link{Name: fmt.Sprint("eth", i), Up: r.IntN(2) == 0, MAC: [6]byte{byte(r.IntN(256))},
				Prefixes: []netip.Prefix{netip.PrefixFrom(number(r.IntN(100)), 1+r.IntN(31))}})
		}
		var silent []string
		for i := range r.IntN(3) {
			silent = append(silent, fmt.Sprint("node-", i))
		}
		m.Records = append(m.Records, ledger.NewRecord(fmt.Sprint("node-", r.IntN(3)), r.Uint64N(3), links, silent))
	}
	return m
}

func TestForget(t *testing.T) {
	var l ledger.Ledger
	l.Merge([]desired.Claim{claim("10.0.0.1", "a", 7), claim("10.0.0.2", "b", 1)}, []ledger.Record{{Node: "a"}, {Node: "b"}})
	frozen := l.Records()
	l.Forget(func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.2") })
	l.Drop("a")
	want := []any{
		map[netip.Addr]desired.Claim{netip.MustParseAddr("10.0.0.2"): claim("10.0.0.2", "b", 1)},
		map[string]ledger.Record{"b": {Node: "b"}},
	}
	if diff := cmp.Diff(any(want), known(&l), opts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(frozen) != 2 {
		t.Errorf("frozen records are %v", frozen)
	}
	if n := l.Merge([]desired.Claim{claim("10.0.0.1", "c", 1)}, nil); len(n.Claims) != 1 {
		t.Errorf("a claim of a forgotten address is no news: %v", n)
	}
}

func TestSilenced(t *testing.T) {
	tests := []struct {
		name     string
		members  string // each a letter
		accusers map[string][]string
		want     map[string]string
	}{
		{name: "nobody", members: "abc"},
		{name: "one", members: "abc", accusers: map[string][]string{"a": {"b"}}, want: map[string]string{"b": "a"}},
		{name: "not by one who is no member", members: "abc", accusers: map[string][]string{"x": {"b"}}},
		{name: "not one who is no member", members: "abc", accusers: map[string][]string{"a": {"x"}}},
		{name: "not itself", members: "abc", accusers: map[string][]string{"a": {"a"}}},
		{
			name: "two that cannot hear each other", members: "abc",
			accusers: map[string][]string{"a": {"b"}, "b": {"a"}}, want: map[string]string{"b": "a"},
		},
		{
			name: "one that hears nobody", members: "abcd",
			accusers: map[string][]string{"a": {"b", "c", "d"}, "b": {"a"}, "c": {"a"}},
			want:     map[string]string{"a": "b"},
		},
		{
			name: "by one that falls later", members: "abc",
			accusers: map[string][]string{"a": {"b"}, "b": {"a", "c"}}, want: map[string]string{"b": "a"},
		},
		{
			name: "all accuse each other", members: "abc",
			accusers: map[string][]string{"a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}}, want: map[string]string{"b": "a", "c": "a"},
		},
		{
			name: "a chain", members: "abc",
			accusers: map[string][]string{"a": {"b"}, "b": {"c"}, "c": nil},
			want:     map[string]string{"b": "a"},
		},
		{
			name: "a smaller part", members: "abcde",
			accusers: map[string][]string{"a": {"c", "d", "e"}, "b": {"c", "d", "e"}, "c": {"a", "b"}, "d": {"a", "b"}, "e": {"a", "b"}},
			want:     map[string]string{"a": "c", "b": "c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members := map[string]bool{}
			for _, c := range tt.members {
				members[string(c)] = true
			}
			records := map[string]ledger.Record{}
			for node, silent := range tt.accusers {
				records[node] = ledger.Record{Node: node, Silent: silent}
			}
			want := tt.want
			if want == nil {
				want = map[string]string{}
			}
			if diff := cmp.Diff(want, ledger.Silenced(members, records)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// At least one member is not silent, whoever is silent is called so, and none of
// those that are not finds another one of them silent.
func TestSilencedLaw(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		members, records := map[string]bool{}, map[string]ledger.Record{}
		n := 1 + r.IntN(7)
		for i := range n {
			name := fmt.Sprint(i)
			members[name] = true
			var silent []string
			for j := range n {
				if r.IntN(3) == 0 {
					silent = append(silent, fmt.Sprint(j))
				}
			}
			records[name] = ledger.Record{Node: name, Silent: silent}
		}
		got := ledger.Silenced(members, records)
		if len(got) >= n {
			t.Fatalf("seed %d: all are silent: %v", seed, got)
		}
		for name := range members {
			if by, silent := got[name]; silent && !slices.Contains(records[by].Silent, name) {
				t.Fatalf("seed %d: %s is silent by %s, which does not say so", seed, name, by)
			}
		}
		for name := range members {
			accused := func(other string) bool { return other != name && got[other] == "" }
			if got[name] == "" && slices.ContainsFunc(records[name].Silent, accused) {
				t.Fatalf("seed %d: %v are silent, not so all of whom %s finds silent: %v", seed, got, name, records[name].Silent)
			}
		}
		if again := ledger.Silenced(maps.Clone(members), maps.Clone(records)); !maps.Equal(got, again) {
			t.Fatalf("seed %d: %v, then %v", seed, got, again)
		}
	}
}
