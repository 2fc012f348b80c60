package ipam

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

// An Allocator keeps nothing of what it is given, and gives nothing of what it keeps.
func TestCopies(t *testing.T) {
	r, err := iprange.Parse("192.0.2.0/30")
	if err != nil {
		t.Fatal(err)
	}
	a, now := New(), time.Unix(0, 0)
	pools := []Pool{{Name: "a", Ranges: []iprange.Range{r}}}
	sharing := Sharing{Key: "k", Ports: []Port{{"UDP", 53}, {"TCP", 80}}}
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	if err := a.SetPools(pools, now); err != nil {
		t.Fatal(err)
	}
	if err := a.Claim("ns/a", addrs, sharing, now); err != nil {
		t.Fatal(err)
	}
	pools[0].Ranges[0], sharing.Ports[0], addrs[0] = iprange.Range{}, Port{"TCP", 1}, netip.Addr{}
	a.Holdings("ns/a")[0] = Assignment{}
	a.Owners(netip.MustParseAddr("192.0.2.1"))[0] = "other"
	if err := a.check(); err != nil {
		t.Fatal(err)
	}
	want := []Assignment{{netip.MustParseAddr("192.0.2.1"), "a"}}
	if got := a.Holdings("ns/a"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	err = a.Claim("ns/b", []netip.Addr{want[0].Address}, Sharing{Key: "k", Ports: []Port{{"UDP", 53}}}, now)
	if err == nil {
		t.Error("port 53 is shared")
	}
}
