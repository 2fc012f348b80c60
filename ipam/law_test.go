package ipam

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// After any history an Allocator says what a model says that looks at every
// address; a second Allocator with the same history says the same; and no
// invariant is broken.
func TestModelLaw(t *testing.T) {
	seeds := []uint64{rand.Uint64()}
	for seed := range uint64(8) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			newHistory(seed).run(t, 300)
		})
	}
}

// A history does the same to two Allocators and a model.
type history struct {
	random *rand.Rand
	now    time.Time
	a, b   *Allocator
	m      *model
	last   string // what was done last
}

func newHistory(seed uint64) *history {
	return &history{
		random: rand.New(rand.NewPCG(seed, 3)),
		now:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		a:      New(), b: New(), m: newModel(),
	}
}

func (h *history) run(t *testing.T, steps int) {
	t.Helper()
	h.setPools(t)
	for range steps {
		h.step(t)
		for _, a := range []*Allocator{h.a, h.b} {
			if err := a.check(); err != nil {
				t.Fatalf("%s: %v", h.last, err)
			}
			h.compare(t, a)
		}
	}
	h.rebuild(t)
}

func (h *history) step(t *testing.T) {
	t.Helper()
	h.now = h.now.Add(time.Duration(h.random.IntN(8)) * time.Second)
	owner := fmt.Sprintf("ns/%d", h.random.IntN(12))
	switch n := h.random.IntN(100); {
	case n < 50:
		h.allocate(t, owner)
	case n < 70:
		addrs, s, existing := h.someAddrs(), h.someSharing(), h.random.IntN(3) == 0
		h.do(t, fmt.Sprintf("claim %v for %s by %+v, existing %v", addrs, owner, s, existing), func(a *Allocator) error {
			if existing {
				return a.ClaimExisting(owner, addrs, s)
			}
			return a.Claim(owner, addrs, s, h.now)
		}, func() error {
			if existing {
				return h.m.claim(owner, addrs, s, time.Time{}, true)
			}
			return h.m.claim(owner, addrs, s, h.now, false)
		})
	case n < 90:
		h.do(t, "release "+owner, func(a *Allocator) error {
			return refuseUnless(a.Release(owner, h.now))
		}, func() error {
			h.m.expire(h.now)
			had := h.m.owners[owner] != nil
			h.m.assign(owner, nil, Sharing{}, h.now)
			return refuseUnless(had)
		})
	default:
		h.setPools(t)
	}
}

// allocate also checks that to ask again changes nothing.
func (h *history) allocate(t *testing.T, owner string) {
	t.Helper()
	req := Request{Owner: owner, Sharing: h.someSharing(), Families: []Family{IPv4, IPv6}}
	h.random.Shuffle(2, func(i, j int) { req.Families[i], req.Families[j] = req.Families[j], req.Families[i] })
	req.Families = req.Families[:1+h.random.IntN(2)]
	names := []string{"a", "b", "c", "d"}
	h.random.Shuffle(4, func(i, j int) { names[i], names[j] = names[j], names[i] })
	if h.random.IntN(2) == 0 {
		req.Near = names[h.random.IntN(4)]
	}
	if n := h.random.IntN(6); n < 5 {
		req.Serves = func(name string) bool { return slices.Contains(names[:n], name) }
	} else {
		req.Pool = names[0]
	}
	h.do(t, fmt.Sprintf("allocate %+v of %v", req, names), func(a *Allocator) error {
		got, err := a.Allocate(req, h.now)
		if err != nil {
			return err
		}
		again, err := a.Allocate(req, h.now)
		if !slices.Equal(got, again) || !slices.Equal(got, a.Holdings(owner)) {
			return fmt.Errorf("got %v, then %v, holds %v", got, again, a.Holdings(owner))
		}
		return err
	}, func() error { return h.m.allocate(req, h.now) })
}

func (h *history) setPools(t *testing.T) {
	t.Helper()
	pools := h.somePools(t)
	h.do(t, fmt.Sprintf("set pools %v", pools), func(a *Allocator) error {
		given := slices.Clone(pools)
		h.random.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
		return a.SetPools(given, h.now)
	}, func() error { return h.m.setPools(pools, h.now) })
}

// do does one thing to all, which must agree on whether it can be done.
func (h *history) do(t *testing.T, what string, real func(*Allocator) error, naive func() error) {
	t.Helper()
	h.last = what
	errA, errB, errM := real(h.a), real(h.b), naive()
	if (errA == nil) != (errM == nil) || fmt.Sprint(errA) != fmt.Sprint(errB) {
		t.Fatalf("%s: %v and %v, the model says %v", what, errA, errB, errM)
	}
}

// compare compares all that an Allocator says with the model.
func (h *history) compare(t *testing.T, a *Allocator) {
	t.Helper()
	h.m.expire(h.now)
	if got, want := a.NextRested(h.now), h.m.nextRested(); !got.Equal(want) {
		t.Fatalf("%s: next rested at %v, want %v", h.last, got, want)
	}
	for i := range 12 {
		owner := fmt.Sprintf("ns/%d", i)
		var want []Assignment
		if o := h.m.owners[owner]; o != nil {
			for _, addr := range o.addrs {
				want = append(want, Assignment{addr, h.poolName(addr)})
			}
		}
		if got := a.Holdings(owner); !slices.Equal(got, want) {
			t.Fatalf("%s: %s holds %v, want %v", h.last, owner, got, want)
		}
	}
	want := map[string][2]Usage{}
	for _, f := range []Family{IPv4, IPv6} {
		for _, addr := range universe(f) {
			if got, want := a.Owners(addr), h.m.holders(addr); !slices.Equal(got, want) {
				t.Fatalf("%s: %v has owners %v, want %v", h.last, addr, got, want)
			}
			if got := a.PoolOf(addr); got != h.poolName(addr) {
				t.Fatalf("%s: %v is in %q, want %q", h.last, addr, got, h.poolName(addr))
			}
			h.count(want, addr, f)
		}
	}
	got := map[string][2]Usage{}
	for name := range want {
		got[name] = [2]Usage{a.Usage(name, IPv4), a.Usage(name, IPv6)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: usage (-want +got)\n%s", h.last, diff)
	}
}

func (h *history) poolName(addr netip.Addr) string {
	if p := h.m.poolOf(addr); p != nil {
		return p.Name
	}
	return ""
}

func (h *history) count(usage map[string][2]Usage, addr netip.Addr, f Family) {
	name := h.poolName(addr)
	u := usage[name]
	if name == "" {
		return
	}
	u[f-1].Total = u[f-1].Total.Add(one)
	_, resting := h.m.released[addr]
	switch {
	case h.m.holders(addr) != nil:
		u[f-1].Assigned = u[f-1].Assigned.Add(one)
	case !resting:
		u[f-1].Available = u[f-1].Available.Add(one)
	}
	usage[name] = u
}

// rebuild checks that an Allocator that is told who holds what, in any order
// and before or after the pools, goes on as one that has seen it all.
func (h *history) rebuild(t *testing.T) {
	t.Helper()
	h.now = h.now.Add(time.Hour) // nothing rests any longer
	fresh, pools := New(), h.m.pools
	early := h.random.IntN(2) == 0
	if early {
		if err := fresh.SetPools(pools, h.now); err != nil {
			t.Fatal(err)
		}
	}
	for name, o := range h.m.owners { // in the map's order
		if err := fresh.ClaimExisting(name, o.addrs, o.sharing); err != nil {
			t.Fatal(err)
		}
	}
	if !early {
		if err := fresh.SetPools(pools, h.now); err != nil {
			t.Fatal(err)
		}
	}
	h.b = fresh
	for range 20 {
		h.allocate(t, fmt.Sprintf("ns/%d", h.random.IntN(12)))
		h.compare(t, fresh)
		if err := fresh.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func refuseUnless(ok bool) error {
	if ok {
		return nil
	}
	return errModel
}

func (h *history) someSharing() Sharing {
	s := Sharing{
		Key:      []string{"", "x", "x", "y"}[h.random.IntN(4)],
		Backends: []string{"", "", "", "app=a", "app=b"}[h.random.IntN(5)],
	}
	for range h.random.IntN(4) {
		s.Ports = append(s.Ports, Port{[]string{"TCP", "UDP"}[h.random.IntN(2)], uint16(80 + h.random.IntN(4))})
	}
	return s
}

func (h *history) someAddrs() []netip.Addr {
	var addrs []netip.Addr
	for range 1 + h.random.IntN(3) {
		all := universe(Family(1 + h.random.IntN(2)))
		addrs = append(addrs, all[h.random.IntN(len(all))])
	}
	return addrs
}

// somePools deals ranges to up to four pools; now and then they overlap. Often
// it changes little of what there is.
func (h *history) somePools(t *testing.T) []Pool {
	t.Helper()
	if n := len(h.m.pools); n > 0 && h.random.IntN(2) == 0 {
		pools := slices.Clone(h.m.pools)
		pools[h.random.IntN(n)].Cooldown = time.Duration(h.random.IntN(20)) * time.Second
		pools[h.random.IntN(n)].Rank = h.random.IntN(3)
		return pools[:n-h.random.IntN(2)]
	}
	byName := map[string]*Pool{}
	ranges := somePoolRanges(t, h.random)
	if h.random.IntN(8) == 0 {
		ranges = append(ranges, somePoolRanges(t, h.random)...)
	}
	for _, r := range ranges {
		name := string(rune('a' + h.random.IntN(4)))
		if byName[name] == nil {
			byName[name] = &Pool{Name: name, AvoidBuggyIPs: h.random.IntN(3) == 0, Cooldown: time.Duration(h.random.IntN(3)*5) * time.Second, Rank: h.random.IntN(3)}
		}
		byName[name].Ranges = append(byName[name].Ranges, r)
	}
	var pools []Pool
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		pools = append(pools, *byName[name])
	}
	return pools
}
