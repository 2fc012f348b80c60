package ipam

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

// To allocate, claim and release takes a number of comparisons that grows
// with the logarithm of the addresses in use, however they lie.
func TestCostLaw(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	whole := iprange.FromPrefix(netip.MustParsePrefix("10.0.0.0/8"))
	for bits := 4; bits <= 16; bits += 4 {
		t.Run(fmt.Sprintf("2^%d gaps", bits), func(t *testing.T) {
			a := New()
			if err := a.SetPools([]Pool{{Name: "p", Ranges: []iprange.Range{whole}, AvoidBuggyIPs: true}}, now); err != nil {
				t.Fatal(err)
			}
			s := a.pools["p"].space(IPv4)
			gaps := uint64(1) << bits
			for i := range gaps {
				s.used.insert(iprange.CountOf(2 * i))
			}
			compared := 0
			s.used.tree.compare = func(a, b iprange.Count) int { compared++; return a.Cmp(b) }

			if _, err := a.Allocate(Request{Owner: "a", Families: []Family{IPv4}, Pool: "p"}, now); err != nil {
				t.Fatal(err)
			}
			if err := a.Claim("b", []netip.Addr{s.address(iprange.CountOf(gaps + 1))}, Sharing{}, now); err != nil {
				t.Fatal(err)
			}
			if !a.Release("a", now) || !a.Release("b", now) {
				t.Fatal("nothing to release")
			}
			// A path is at most twice as long as the tree is high, and the
			// four calls walk down up to four times each.
			if limit := 4 * 4 * 2 * (bits + 1); compared > limit {
				t.Errorf("%d comparisons, want at most %d", compared, limit)
			}
		})
	}
}

// Among any number of sharers of one port, who needs that port looks at one
// address only, and who needs another is given the lowest.
func TestCommonPortLaw(t *testing.T) {
	g := newGroup()
	http, https := []Port{{"TCP", 80}}, []Port{{"TCP", 443}}
	addr := netip.MustParseAddr("10.0.0.0")
	for range 1000 {
		g.tree.insert(addr, member{entry: &entry{addr: addr, ports: http}})
		addr = addr.Next()
	}
	if !anyCommon(g.tree.root.value.taken, http) || g.lowestFit(http) != nil {
		t.Errorf("the root does not tell that port 80 is taken: %v", g.tree.root.value.taken)
	}
	if e := g.lowestFit(https); e == nil || e.addr != netip.MustParseAddr("10.0.0.0") {
		t.Errorf("port 443: got %v", e)
	}
}
