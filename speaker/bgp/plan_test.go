package bgp

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

var compareAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// addrOrNone parses an address; an empty text is the invalid one.
func addrOrNone(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return addr(s)
}

func link(name string, prefixes ...string) desired.Link {
	l := desired.Link{Name: name, Up: true}
	for _, p := range prefixes {
		l.Prefixes = append(l.Prefixes, prefix(p))
	}
	return l
}

func TestNextHops(t *testing.T) {
	both := link("eth0", "192.0.2.1/24", "2001:db8::1/64", "fe80::1/64")
	tests := []struct {
		name          string
		remote, local string
		links         []desired.Link
		lasting       []desired.Link
		v4, v6        string
	}{
		{name: "IPv4 transport", remote: "192.0.2.254", local: "192.0.2.1", links: []desired.Link{both}, v4: "192.0.2.1", v6: "2001:db8::1"},
		{name: "IPv6 transport", remote: "2001:db8::ff", local: "2001:db8::1", links: []desired.Link{both}, v4: "192.0.2.1", v6: "2001:db8::1"},
		{
			name: "the lowest address is a temporary one", remote: "192.0.2.254", local: "192.0.2.1",
			links:   []desired.Link{link("eth0", "192.0.2.1/24", "2001:db8::1/64", "2001:db8::2/64")},
			lasting: []desired.Link{link("eth0", "192.0.2.1/24", "2001:db8::2/64")}, v4: "192.0.2.1", v6: "2001:db8::2",
		},
		{
			name: "no address lasts", remote: "192.0.2.254", local: "192.0.2.1",
			links:   []desired.Link{link("eth0", "192.0.2.1/24", "2001:db8::1/64")},
			lasting: []desired.Link{link("eth0", "192.0.2.1/24")}, v4: "192.0.2.1", v6: "2001:db8::1",
		},
		{
			name: "no IPv6 on the link, some elsewhere", remote: "192.0.2.254", local: "192.0.2.1",
			links: []desired.Link{link("eth0", "192.0.2.1/24", "fe80::1/64"), link("eth1", "2001:db8::1/64")}, v4: "192.0.2.1",
		},
		{
			name: "no IPv4 on the link", remote: "2001:db8::ff", local: "2001:db8::1",
			links: []desired.Link{link("eth0", "2001:db8::1/64"), link("eth1", "192.0.2.1/24")}, v6: "2001:db8::1",
		},
		{
			name: "behind a gateway: the link that has our end", remote: "203.0.113.1", local: "192.0.2.1",
			links: []desired.Link{link("eth1", "198.51.100.1/24", "2001:db8:1::1/64"), both}, v4: "192.0.2.1", v6: "2001:db8::1",
		},
		{
			name: "our end is on no link", remote: "203.0.113.1", local: "10.255.0.1",
			links: []desired.Link{both}, v4: "10.255.0.1",
		},
		{
			name: "two links in the network of the router", remote: "192.0.2.254", local: "192.0.2.2",
			links: []desired.Link{both, link("eth1", "192.0.2.2/24", "2001:db8::2/64")}, v4: "192.0.2.2", v6: "2001:db8::2",
		},
		{
			name: "an address that stands alone comes last", remote: "192.0.2.254", local: "192.0.2.1",
			links: []desired.Link{link("eth0", "192.0.2.1/24", "2001:db8::1/128", "2001:db8::5/64")}, v4: "192.0.2.1", v6: "2001:db8::5",
		},
		{
			name: "one that stands alone will do", remote: "192.0.2.254", local: "192.0.2.1",
			links: []desired.Link{link("eth0", "192.0.2.1/24", "2001:db8::9/128", "2001:db8::7/128")}, v4: "192.0.2.1", v6: "2001:db8::7",
		},
		{name: "unnumbered", remote: "fe80::9%eth0", local: "fe80::1", links: []desired.Link{both}, v4: "fe80::1", v6: "fe80::1"},
		{name: "mapped", remote: "192.0.2.254", local: "::ffff:192.0.2.1", links: []desired.Link{both}, v4: "192.0.2.1", v6: "2001:db8::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := nextHops(siteOf(addr(tt.remote), addr(tt.local), tt.links), tt.links, tt.lasting)
			if want := (hops{addrOrNone(tt.v4), addrOrNone(tt.v6)}); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestRouterID(t *testing.T) {
	tests := []struct {
		name          string
		id            string
		remote, local string
		links         []desired.Link
		want          string
	}{
		{name: "asked for", id: "1.2.3.4", remote: "192.0.2.254", local: "192.0.2.1", want: "1.2.3.4"},
		{name: "of the session", remote: "192.0.2.254", local: "192.0.2.9", links: nodeLinks(), want: "192.0.2.9"},
		{
			name: "lowest of the node", remote: "2001:db8::ff", local: "2001:db8::1",
			links: []desired.Link{link("a", "198.51.100.1/24"), link("b", "169.254.0.1/16", "192.0.2.7/24")}, want: "192.0.2.7",
		},
		{name: "of the name", remote: "2001:db8::ff", local: "2001:db8::1", want: idOfName("n1").String()},
		{name: "unnumbered", remote: "fe80::9%eth0", local: "fe80::1", links: nodeLinks(), want: "192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &config.Peer{RouterID: addrOrNone(tt.id)}
			got := routerID(p, siteOf(addr(tt.remote), addr(tt.local), tt.links), tt.links, "n1")
			if got != addr(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Law: an identifier that is made of a name is always the same one, and could be
// the address of a host.
func TestIDOfName(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		id := idOfName(string(b))
		if id != idOfName(string(b)) || !id.Is4() || id.As4()[0] == 0 || id.As4()[0] > 223 || id.IsLoopback() {
			t.Fatalf("%s: %v", b, id)
		}
	}
}

func TestBFDSession(t *testing.T) {
	profile := func(p *config.Peer) { p.BFD = &config.BFDProfile{Name: "fast", DetectMultiplier: 3, MinimumTTL: 254} }
	with := func(change func(p *config.Peer)) func(p *config.Peer) {
		return func(p *config.Peer) { profile(p); change(p) }
	}
	tests := []struct {
		name          string
		change        func(p *config.Peer)
		remote, local string
		want          *bfd.Session // nil for none; Name and Multiplier are added
	}{
		{name: "not asked for", change: func(*config.Peer) {}, remote: "192.0.2.254", local: "192.0.2.1"},
		{
			name: "one hop", change: profile, remote: "192.0.2.254", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("192.0.2.254"), Interface: "eth0"},
		},
		{
			name: "by configuration", change: with(func(p *config.Peer) { p.EBGPMultiHop = true }), remote: "192.0.2.254", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("192.0.2.254"), Multihop: true, Profile: bfd.Profile{MinimumTTL: 254}},
		},
		{
			name: "multihop in a VRF", change: with(func(p *config.Peer) { p.EBGPMultiHop, p.VRF = true, "red" }), remote: "192.0.2.254", local: "192.0.2.1",
			want: &bfd.Session{
				Local: addr("192.0.2.1"), Remote: addr("192.0.2.254"), Interface: "red", Multihop: true, Profile: bfd.Profile{MinimumTTL: 254},
			},
		},
		{
			name: "one hop in a VRF", change: with(func(p *config.Peer) { p.VRF = "red" }), remote: "192.0.2.254", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("192.0.2.254"), Interface: "eth0"},
		},
		{
			name: "same ASN on our network", change: with(func(p *config.Peer) { p.PeerASN = p.MyASN }), remote: "192.0.2.254", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("192.0.2.254"), Interface: "eth0"},
		},
		{
			name: "same ASN far away", change: with(func(p *config.Peer) { p.Dynamic = config.DynamicInternal }), remote: "203.0.113.1", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("203.0.113.1"), Multihop: true, Profile: bfd.Profile{MinimumTTL: 254}},
		},
		{
			name: "another ASN, said to be one hop away", change: profile, remote: "203.0.113.1", local: "192.0.2.1",
			want: &bfd.Session{Local: addr("192.0.2.1"), Remote: addr("203.0.113.1")},
		},
		{
			name: "unnumbered", change: profile, remote: "fe80::9%eth1", local: "fe80::11%eth1",
			want: &bfd.Session{Local: addr("fe80::11"), Remote: addr("fe80::9%eth1"), Interface: "eth1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := peerNamed("a", "", tt.change)
			got, ok := bfdSession(p, siteOf(addr(tt.remote), addr(tt.local), nodeLinks()))
			if ok != (tt.want != nil) {
				t.Fatalf("got %+v, %v", got, ok)
			}
			if tt.want == nil {
				return
			}
			tt.want.Name, tt.want.Profile.Multiplier = "a", 3
			if d := cmp.Diff(*tt.want, got, compareAddrs); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// Law: applying the changes between two lists to what peers have by the first
// one gives what they have by the second one, and a list has no change to its
// own copy.
func TestChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var before desired.BGP
	for range 3000 {
		next := someBGP(r, before)
		if r.IntN(2) == 0 && len(before.Routes) > 0 { // most of it is the same
			next.Routes = append([]desired.Route(nil), before.Routes...)
			i := r.IntN(len(next.Routes))
			next.Routes = append(next.Routes[:i:i], next.Routes[i+1:]...)
		}
		got := changes(before.Routes, next.Routes)
		for _, peer := range []string{"a", "b", "c"} {
			have := map[netip.Prefix]*desired.Attributes{}
			for _, w := range wishes(before.Routes, peer) {
				have[w.prefix] = w.attributes
			}
			for _, w := range got[peer] {
				old, had := have[w.prefix]
				if w.attributes == nil && !had || w.attributes != nil && had && old.Equal(*w.attributes) {
					t.Fatalf("%s: %v is no change", peer, w.prefix)
				}
				if have[w.prefix] = w.attributes; w.attributes == nil {
					delete(have, w.prefix)
				}
			}
			want := wishes(next.Routes, peer)
			for _, w := range want {
				if a := have[w.prefix]; a == nil || !a.Equal(*w.attributes) {
					t.Fatalf("%s: %v is %+v, want %+v", peer, w.prefix, a, w.attributes)
				}
			}
			if len(have) != len(want) {
				t.Fatalf("%s: %d prefixes, want %d", peer, len(have), len(want))
			}
		}
		if c := changes(next.Routes, append([]desired.Route(nil), next.Routes...)); len(c) > 0 {
			t.Fatalf("a copy has changes: %v", c)
		}
		before = next
	}
}

func TestLeavingPath(t *testing.T) {
	pref := uint32(200)
	standard, large := config.Community{Global: 64512, Local1: 1}, config.Community{Large: true, Global: 1}
	p := Path{Prefix: prefix("10.0.0.1/32"), NextHop: addr("192.0.2.1"), Attributes: desired.Attributes{
		LocalPref: &pref, Communities: []config.Community{standard, large},
	}}
	got := p.leaving()
	want := "10.0.0.1/32 via 192.0.2.1 pref 0 64512:1 65535:0 1:0:0"
	if describe(got) != want || !got.same(got.leaving()) {
		t.Errorf("got %s, want %s", describe(got), want)
	}
	if describe(p) != "10.0.0.1/32 via 192.0.2.1 pref 200 64512:1 1:0:0" {
		t.Errorf("the path itself has changed: %s", describe(p))
	}
}
