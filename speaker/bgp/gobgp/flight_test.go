package gobgp

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bgp"
)

// update returns the body of an UPDATE as the library writes it.
func update(t *testing.T, withdrawn, announced []packet.PathNLRI, attrs ...packet.PathAttributeInterface) []byte {
	t.Helper()
	b, err := packet.NewBGPUpdateMessage(withdrawn, attrs, announced).Serialize()
	must(t, err)
	return b[headerLength:]
}

// TestPrefixesOfUpdate: what the library announces or withdraws is found.
func TestPrefixesOfUpdate(t *testing.T) {
	nlris := func(prefixes ...string) (all []packet.PathNLRI) {
		for _, p := range prefixesOf(prefixes...) {
			n, err := packet.NewIPAddrPrefix(p)
			must(t, err)
			all = append(all, packet.PathNLRI{NLRI: n})
		}
		return all
	}
	hop4, hop6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	v4, v6 := []string{"203.0.113.0/28", "0.0.0.0/0", "203.0.113.1/32"}, []string{"2001:db8::1/128", "2001:db8::/61"}
	usual := func(p string, hop netip.Addr) []packet.PathAttributeInterface {
		rich := path(p, hop)
		rich.Attributes.Communities = []config.Community{{Global: 1, Local1: 2}}
		all, err := libraryPaths([]bgp.Path{rich}, bgp.Neighbor{MyASN: 64512})
		must(t, err)
		return all[0].Attrs
	}
	reach := func(f packet.Family, prefixes ...string) packet.PathAttributeInterface {
		a, err := packet.NewPathAttributeMpReachNLRI(f, nlris(prefixes...), hop6)
		must(t, err)
		return a
	}
	gone, err := packet.NewPathAttributeMpUnreachNLRI(packet.RF_IPv6_UC, nlris(v6...))
	must(t, err)
	tests := []struct {
		name string
		body []byte
		want []string
	}{
		{"IPv4", update(t, nil, nlris(v4...), usual(v4[0], hop4)...), v4},
		{"IPv4 withdrawn", update(t, nlris(v4...), nil), v4},
		{"IPv4 with an IPv6 next hop", update(t, nil, nil, reach(packet.RF_IPv4_UC, v4...)), v4},
		{"IPv6", update(t, nil, nil, reach(packet.RF_IPv6_UC, v6...)), v6},
		{"IPv6 withdrawn", update(t, nil, nil, gone), v6},
		{"end of RIB", update(t, nil, nil), nil},
		{"empty", nil, nil},
	}
	for _, tt := range tests {
		got := slices.Collect(prefixesOfUpdate(tt.body))
		if d := cmp.Diff(prefixesOf(tt.want...), got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		for i := range tt.body { // nor does what ends early do harm
			_ = slices.Collect(prefixesOfUpdate(tt.body[:i]))
		}
	}
}

// TestBoard: a change waits for an earlier one of its prefix and for no other. When
// a router takes nothing, only the first one waits.
func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlight()
		one, other, late := prefixesOf("203.0.113.1/32"), prefixesOf("203.0.113.2/32"), prefixesOf("2001:db8::1/128")
		board := func(prefixes []netip.Prefix, want time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), libraryWithin)
			defer cancel()
			began := time.Now()
			f.board(ctx, prefixes)
			if took := time.Since(began); took != want {
				t.Errorf("waited %v, want %v", took, want)
			}
		}
		board(one, 0)
		board(one, 0) // there is no session
		f.begin(true, false)
		board(one, 0)
		board(other, 0)
		board(late, 0)
		board(late, 0) // is not sent
		n, err := packet.NewIPAddrPrefix(one[0])
		must(t, err)
		sent := update(t, []packet.PathNLRI{{NLRI: n}}, nil)
		time.AfterFunc(time.Second, func() { f.land(sent) })
		board(one, time.Second)
		board(slices.Concat(one, other), libraryWithin)
		board(one, 0)
		f.land(sent)
		board(one, 0)
		board(one, libraryWithin)
	})
}
