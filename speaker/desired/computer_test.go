package desired

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/heraldlb/herald/config"
)

// What goes from the Input goes from the Computer's memory.
func TestComputerForgets(t *testing.T) {
	var c Computer
	in := Input{Node: "n1", Config: &config.Config{}, Nodes: []Node{{Name: "n1"}}, Alive: map[string]bool{"n1": true}}
	for round := range 100 {
		in.Services = nil
		for i := range round % 7 {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(round), byte(i)})
			in.Services = append(in.Services, &Service{Key: fmt.Sprintf("s/%d", round*10+i), Addresses: []netip.Addr{addr}})
		}
		c.Compute(in)
		inBuckets := 0
		for i := range c.buckets {
			inBuckets += len(c.buckets[i].services)
		}
		if n := len(in.Services); len(c.services) != n || len(c.addresses) != n || inBuckets != n || len(c.led) > n {
			t.Fatalf("with %d Services the Computer has %d, %d in buckets, %d addresses, %d led",
				n, len(c.services), inBuckets, len(c.addresses), len(c.led))
		}
	}
	if len(c.view.covers) != 0 {
		t.Errorf("%d covers without an advertisement", len(c.view.covers))
	}
}
