package watch

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
)

// linkIn returns a link with addresses.
func linkIn(name string, up bool, prefixes ...string) desired.Link {
	l := desired.Link{Name: name, Up: up, MAC: [6]byte{2, name[len(name)-1]}}
	for _, p := range prefixes {
		l.Prefixes = append(l.Prefixes, netip.MustParsePrefix(p))
	}
	return l
}

func TestNetworks(t *testing.T) {
	const four, six, local, single = "192.0.2.1/24", "2001:db8::1/64", "fe80::1/64", "198.51.100.1/32"
	whole := []desired.Link{linkIn("eth0", true, "10.0.0.1/8"), linkIn("eth1", true, four, six, local)}
	tests := []struct {
		name string
		now  []desired.Link
		want []desired.Link // besides, as down
	}{
		{"all there", whole, nil},
		{"down with its addresses", []desired.Link{whole[0], linkIn("eth1", false, four, six)}, nil},
		{"down, IPv6 lost", []desired.Link{whole[0], linkIn("eth1", false, four)}, []desired.Link{linkIn("eth1", false, six)}},
		{"up again, IPv6 lost", []desired.Link{whole[0], linkIn("eth1", true, four, local)}, []desired.Link{linkIn("eth1", false, six)}},
		{"up, all lost", []desired.Link{whole[0], linkIn("eth1", true)}, []desired.Link{linkIn("eth1", false, four), linkIn("eth1", false, six)}},
		{"only a single address", []desired.Link{whole[0], linkIn("eth1", true, six, single)}, []desired.Link{linkIn("eth1", false, four)}},
		{"another network", []desired.Link{whole[0], linkIn("eth1", true, "203.0.113.1/24", six)}, nil},
		{"gone", whole[:1], []desired.Link{linkIn("eth1", false, four), linkIn("eth1", false, six)}},
		{"all gone", nil, []desired.Link{linkIn("eth0", false, "10.0.0.1/8"), linkIn("eth1", false, four), linkIn("eth1", false, six)}},
	}
	equal := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	for _, tt := range tests {
		var n networks
		n.pass(whole)
		for _, what := range []string{"at once", "again"} {
			got := n.pass(tt.now)
			if diff := cmp.Diff(append(append([]desired.Link{}, tt.now...), tt.want...), append([]desired.Link{}, got...), equal); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, what, diff)
			}
		}
		if diff := cmp.Diff(whole, n.pass(whole), equal); diff != "" {
			t.Errorf("%s, back (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A host on which networks come and go for ever does not grow.
func TestNetworksForgets(t *testing.T) {
	var n networks
	for i := range 100 {
		got := n.pass([]desired.Link{linkIn("eth0", true, "10.0.0.1/8"), linkIn(fmt.Sprintf("br%d", i), true, "192.0.2.1/24")})
		if len(got) > maxNetworks {
			t.Fatalf("%d links", len(got))
		}
	}
}

// An address is not announced on another link when the one in its network has
// lost its addresses, up or down, or is gone.
func TestPassLosesNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		pass := func(when, want string, links ...desired.Link) {
			t.Helper()
			b.links = append([]desired.Link{linkIn("eth0", true, "10.0.0.1/24")}, links...)
			b.linksStale.Store(true)
			b.reconcile(t)
			elapse(2 * returnHold)
			b.reconcile(t)
			b.expect(t, when, want)
		}
		whole := linkIn("eth1", true, "192.0.2.250/24")
		pass("in the network", "192.0.2.1", whole)
		pass("down without addresses", "", linkIn("eth1", false))
		pass("in the network again", "192.0.2.1", whole)
		pass("up without addresses", "", linkIn("eth1", true))
		pass("gone", "")
		pass("in the network at last", "192.0.2.1", whole)
	})
}
