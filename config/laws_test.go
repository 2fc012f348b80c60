package config_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/iprange"
)

// world builds random objects over few names and addresses, so that overlaps,
// conflicts, and references to what is and is not there are common. About one
// object in five is wrong by itself.
func world(t testing.TB, r *rand.Rand) config.Objects {
	t.Helper()
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	age := func() int { return r.IntN(4) }
	addr := func() string {
		first := r.IntN(60)
		return pick(fmt.Sprintf("10.0.0.%d-10.0.0.%d", first, first+r.IntN(8)), fmt.Sprintf("10.0.0.%d/30", r.IntN(16)*4),
			fmt.Sprintf(`"fd00::%d00/120"`, r.IntN(9)), "10.0.0.9-10.0.0.1")
	}
	var docs []string
	for i := range r.IntN(6) {
		docs = append(docs, pool(fmt.Sprintf("p%d", i), age(), fmt.Sprintf("addresses: [%s, %s], exclude: [10.0.0.%d], serviceAllocation: {priority: %d}", addr(), addr(), r.IntN(60), r.IntN(3))))
	}
	for i := range r.IntN(4) {
		name := fmt.Sprintf("x%d", i)
		docs = append(docs,
			object("BFDProfile", name, age(), pick("", "receiveInterval: 1")),
			object("Community", name, age(), fmt.Sprintf(`communities: [{name: c%d, value: "1:%d"}]`, r.IntN(2), r.IntN(2))),
			object("BGPPeer", name, age(), fmt.Sprintf("myASN: 1, peerASN: %d, peerAddress: 10.9.0.%d%s", r.IntN(4), r.IntN(3), pick("", ", bfdProfile: x0", ", passwordSecret: s", ", passwordSecret: none"))),
			object("L2Advertisement", name, age(), pick("", "ipAddressPools: [p0, p3]", "ipAddressPoolSelectors: [{matchLabels: {name: p1}}]", "interfaces: ['[']")),
			object("BGPAdvertisement", name, age(), pick("", "aggregationLength: 30", "ipAddressPools: [p1, p2]", "peers: [x0, x2]", "communities: [c0]", "localPref: -1")))
	}
	o := objects(t, docs...)
	o.Passwords = map[string]string{"s": "hidden"}
	return o
}

// worlds calls check with many random worlds.
func worlds(t *testing.T, check func(t *testing.T, r *rand.Rand, o config.Objects)) {
	t.Helper()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		check(t, r, world(t, r))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// same fails unless two Configs say the same.
func same(t *testing.T, law string, a, b *config.Config) {
	t.Helper()
	if d := diffConfig(a, b); d != "" {
		t.Errorf("%s\n%s", law, d)
	}
}

// The order of the input does not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	worlds(t, func(t *testing.T, r *rand.Rand, o config.Objects) {
		c, verdicts := config.Parse(o)
		shuffle(r, o.Pools)
		shuffle(r, o.L2Advertisements)
		shuffle(r, o.BGPAdvertisements)
		shuffle(r, o.Peers)
		shuffle(r, o.BFDProfiles)
		shuffle(r, o.Communities)
		again, verdictsAgain := config.Parse(o)
		same(t, "shuffled", c, again)
		if d := cmp.Diff(verdicts, verdictsAgain); d != "" {
			t.Errorf("verdicts (-want +got)\n%s", d)
		}
	})
}

func shuffle[O any](r *rand.Rand, list []O) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// An object that is neither accepted nor a retired pool has no effect: without
// it the Config is the same.
func TestRejectedHaveNoEffect(t *testing.T) {
	worlds(t, func(t *testing.T, _ *rand.Rand, o config.Objects) { checkRejected(t, o) })
}

func checkRejected(t *testing.T, o config.Objects) {
	t.Helper()
	c, verdicts := config.Parse(o)
	retired := map[string]bool{}
	for _, p := range c.Retired {
		retired[p.Name] = true
	}
	without, left := config.Parse(accepted(o, verdicts, retired))
	same(t, "without the rejected", c, without)
	for _, v := range left {
		if !v.Accepted && (v.Kind != "IPAddressPool" || !retired[v.Name]) {
			t.Errorf("%s %q was accepted, and without the rejected is not: %s", v.Kind, v.Name, v.Message)
		}
	}
}

// accepted returns the objects that were accepted, and the retired pools.
func accepted(o config.Objects, verdicts []config.Verdict, retired map[string]bool) config.Objects {
	in := map[[2]string]bool{}
	for _, v := range verdicts {
		in[[2]string{v.Kind, v.Name}] = v.Accepted
	}
	keep := func(kind, name string) bool { return in[[2]string{kind, name}] }
	return config.Objects{
		Pools:             filter(o.Pools, func(x *v1beta1.IPAddressPool) bool { return retired[x.Name] || keep("IPAddressPool", x.Name) }),
		L2Advertisements:  filter(o.L2Advertisements, func(x *v1beta1.L2Advertisement) bool { return keep("L2Advertisement", x.Name) }),
		BGPAdvertisements: filter(o.BGPAdvertisements, func(x *v1beta1.BGPAdvertisement) bool { return keep("BGPAdvertisement", x.Name) }),
		Peers:             filter(o.Peers, func(x *v1beta1.BGPPeer) bool { return keep("BGPPeer", x.Name) }),
		BFDProfiles:       filter(o.BFDProfiles, func(x *v1beta1.BFDProfile) bool { return keep("BFDProfile", x.Name) }),
		Communities:       filter(o.Communities, func(x *v1beta1.Community) bool { return keep("Community", x.Name) }),
		Passwords:         o.Passwords,
	}
}

func filter[O any](list []O, keep func(*O) bool) []O {
	var out []O
	for i := range list {
		if keep(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// An object that is wrong by itself changes no other object's verdict.
func TestWrongByItselfDisturbsNobody(t *testing.T) {
	wrong := map[string]string{
		"IPAddressPool":    "addresses: [10.0.0.9-10.0.0.1]",
		"L2Advertisement":  "interfaces: ['[']",
		"BGPAdvertisement": "med: -1",
		"BGPPeer":          "myASN: 1, peerAddress: 10.9.0.1",
		"BFDProfile":       "minimumTTL: 255",
		"Community":        `communities: [{name: c0, value: "1:3"}, {name: c1, value: "1"}]`,
	}
	worlds(t, func(t *testing.T, _ *rand.Rand, o config.Objects) {
		c, verdicts := config.Parse(o)
		for kind, spec := range wrong {
			more := o
			if err := add(&more, kind, []byte(object(kind, "wrong", 0, spec))); err != nil {
				t.Fatal(err)
			}
			again, got := config.Parse(more)
			same(t, "with a wrong "+kind, c, again)
			got = slices.DeleteFunc(got, func(v config.Verdict) bool { return v.Name == "wrong" && !v.Accepted })
			if d := cmp.Diff(plain(verdicts), plain(got), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("verdicts with a wrong %s (-want +got)\n%s", kind, d)
			}
		}
	})
}

// plain leaves the messages about unknown communities out: they name the
// Community that is not accepted, which is the one reference to a wrong object.
func plain(verdicts []config.Verdict) []config.Verdict {
	out := slices.Clone(verdicts)
	for i, v := range out {
		if strings.Contains(v.Message, "spec.communities") {
			out[i].Message = ""
		}
	}
	return out
}

// A pool is accepted when it is right by itself and none of its addresses is
// in an accepted older one, address by address.
func TestOverlapAgainstModel(t *testing.T) {
	worlds(t, func(t *testing.T, _ *rand.Rand, o config.Objects) {
		c, verdicts := config.Parse(o)
		owner := map[netip.Addr]string{}
		byAge := slices.Clone(o.Pools)
		slices.SortFunc(byAge, func(a, b v1beta1.IPAddressPool) int {
			if d := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); d != 0 {
				return d
			}
			return strings.Compare(a.Name, b.Name)
		})
		for _, p := range byAge {
			alone, _ := config.Parse(config.Objects{Pools: []v1beta1.IPAddressPool{p}})
			want := len(alone.Pools) == 1
			var own []netip.Addr
			for _, q := range alone.Pools {
				own = members(q.Ranges)
			}
			for _, a := range own {
				want = want && owner[a] == ""
			}
			if got := c.Pool(p.Name) != nil; got != want {
				t.Errorf("pool %s accepted: %v, want %v: %v", p.Name, got, want, verdicts)
			}
			for _, a := range own {
				if want {
					owner[a] = p.Name
				}
			}
		}
		for a, name := range owner {
			if p := c.PoolOf(a); p == nil || p.Name != name {
				t.Errorf("PoolOf(%v) = %v, want %s", a, p, name)
			}
		}
	})
}

// members lists the addresses of small ranges.
func members(ranges []iprange.Range) []netip.Addr {
	var list []netip.Addr
	for _, r := range ranges {
		for a := r.First(); r.Contains(a); a = a.Next() {
			list = append(list, a)
		}
	}
	return list
}

// FuzzParse: whatever the objects say, Parse returns a Config that keeps its
// promises and one readable verdict for each object, in any order of them.
func FuzzParse(f *testing.F) {
	for seed := range uint64(20) {
		o := world(f, rand.New(rand.NewPCG(seed, 2)))
		data, err := json.Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"Pools":[{"spec":{"addresses":["::/0","0.0.0.0-255.255.255.255",""],"exclude":["-","/"]}}]}`))
	f.Add([]byte(`{"BGPAdvertisements":[{"spec":{"aggregationLength":-2147483648,"communities":[":","large::"]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o config.Objects
		if json.Unmarshal(data, &o) != nil {
			return
		}
		c, verdicts := config.Parse(o)
		n := len(o.Pools) + len(o.L2Advertisements) + len(o.BGPAdvertisements) + len(o.Peers) + len(o.BFDProfiles) + len(o.Communities)
		if len(verdicts) != n {
			t.Errorf("%d verdicts for %d objects", len(verdicts), n)
		}
		for _, v := range verdicts {
			if !utf8.ValidString(v.Message) || len(v.Message) > 5000 || strings.Contains(v.Message, "\n") || (v.Message == "") != (v.Reason == config.Valid) {
				t.Errorf("%+v", v)
			}
		}
		checkDisjoint(t, c)
		checkRejected(t, o)
		slices.Reverse(o.Pools)
		slices.Reverse(o.Peers)
		slices.Reverse(o.Communities)
		again, verdictsAgain := config.Parse(o)
		same(t, "reversed", c, again)
		if d := cmp.Diff(verdicts, verdictsAgain); d != "" {
			t.Errorf("verdicts (-want +got)\n%s", d)
		}
	})
}

// checkDisjoint checks the invariants of pools and of references to them.
func checkDisjoint(t *testing.T, c *config.Config) {
	t.Helper()
	var all []iprange.Range
	retired := map[string]bool{}
	for _, p := range c.Retired {
		retired[p.Name] = true
	}
	for _, p := range slices.Concat(c.Pools, c.Retired) {
		if len(p.Ranges) == 0 || !slices.IsSortedFunc(p.Ranges, iprange.Range.Compare) {
			t.Errorf("pool %q: ranges %v", p.Name, p.Ranges)
		}
		all = append(all, p.Ranges...)
	}
	slices.SortFunc(all, iprange.Range.Compare)
	for i := 1; i < len(all); i++ {
		if !all[i].IsValid() || all[i-1].Overlaps(all[i]) {
			t.Errorf("%v and %v", all[i-1], all[i])
		}
	}
	for _, a := range c.L2Advertisements {
		for _, name := range a.Pools {
			if c.Pool(name) == nil && !retired[name] {
				t.Errorf("L2Advertisement %q: pool %q", a.Name, name)
			}
		}
	}
}
