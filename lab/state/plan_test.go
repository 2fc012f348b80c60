package state_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heraldlb/herald/lab/state"
)

func options(change func(*state.Options)) state.Options {
	o := state.Options{Nodes: 2, Clients: 1, Family: state.IPv4, Proxy: state.NFTables, ProxyMinSync: time.Second}
	if change != nil {
		change(&o)
	}
	return o
}

// create makes a lab in a directory of its own.
func create(t *testing.T, name string, o state.Options) (*state.Store, state.Root) {
	t.Helper()
	dir := t.TempDir()
	root := state.Root{Var: dir + "/var", Run: dir + "/run"}
	return open(t, root, name, &o), root
}

// open locks a lab and, unless o is nil, makes it.
func open(t *testing.T, root state.Root, name string, o *state.Options) *state.Store {
	t.Helper()
	s, err := root.Open(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if o != nil {
		if err := s.Create(t.Context(), *o); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name     string
		options  state.Options
		hosts    string
		segment  string
		gateways string
		pods     string
		services string
		api      string
	}{{
		name:     "ipv4",
		options:  options(nil),
		hosts:    "cp=172.30.1.10/24 node1=172.30.1.11/24;10.244.1.0/24 node2=172.30.1.12/24;10.244.2.0/24 client=172.30.1.2/24",
		segment:  "172.30.1.0/24",
		gateways: "172.30.1.1",
		pods:     "10.244.0.0/16",
		services: "10.96.0.0/16",
		api:      "10.96.0.1",
	}, {
		name:     "ipv6 without a client",
		options:  options(func(o *state.Options) { o.Family, o.Nodes, o.Clients = state.IPv6, 1, 0 }),
		hosts:    "cp=fd30:1::10/64 node1=fd30:1::11/64;fd00:10:244:1::/64",
		segment:  "fd30:1::/64",
		gateways: "fd30:1::1",
		pods:     "fd00:10:244::/48",
		services: "fd00:10:96::/112",
		api:      "fd00:10:96::1",
	}, {
		name: "dual with routers and two clients",
		options: options(func(o *state.Options) {
			o.Family, o.Nodes, o.Clients, o.Routers = state.Dual, 1, 2, []string{"frr", "bird", "frr"}
		}),
		hosts: "cp=172.30.1.10/24,fd30:1::10/64 node1=172.30.1.11/24,fd30:1::11/64;10.244.1.0/24,fd00:10:244:1::/64 " +
			"client=172.30.1.2/24,fd30:1::2/64 client2=172.30.1.3/24,fd30:1::3/64 " +
			"frr1=172.30.1.5/24,fd30:1::5/64 bird1=172.30.1.6/24,fd30:1::6/64 frr2=172.30.1.7/24,fd30:1::7/64",
		segment:  "172.30.1.0/24,fd30:1::/64",
		gateways: "172.30.1.5,fd30:1::5",
		pods:     "10.244.0.0/16,fd00:10:244::/48",
		services: "10.96.0.0/16,fd00:10:96::/112",
		api:      "10.96.0.1,fd00:10:96::1",
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := create(t, "plan", tt.options)
			l := s.Lab()
			got := []string{hosts(l), join(l.Segment()), join(l.Gateways()), join(l.PodRanges()), join(l.ServiceRanges()), join(l.APIServices())}
			want := []string{tt.hosts, tt.segment, tt.gateways, tt.pods, tt.services, tt.api}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// hosts writes NAME=ADDRS;PODCIDRS for each host.
func hosts(l *state.Lab) string {
	var out []string
	for _, h := range l.Hosts {
		s := h.Name + "=" + join(h.Addrs)
		if len(h.PodCIDRs) > 0 {
			s += ";" + join(h.PodCIDRs)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func join[T interface{ String() string }](list []T) string {
	var out []string
	for _, v := range list {
		out = append(out, v.String())
	}
	return strings.Join(out, ",")
}

// Hosts have the same numbers on the second network as on the first.
func TestSecondNetwork(t *testing.T) {
	s, _ := create(t, "second", options(func(o *state.Options) { o.Family, o.Nodes, o.Second = state.Dual, 1, true }))
	l := s.Lab()
	if got, want := join(l.SecondNetwork()), "172.31.1.0/24,fd31:1::/64"; got != want {
		t.Errorf("second network %s, want %s", got, want)
	}
	for name, want := range map[string]string{"node1": "172.31.1.11/24,fd31:1::11/64", "client": "172.31.1.2/24,fd31:1::2/64"} {
		h, err := l.Host(name)
		if got := join(h.Second); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, want)
		}
	}
}

// No two hosts of a full lab share an address, none has one that is left to
// pools, and every address is on the segment.
func TestPlanIsDisjoint(t *testing.T) {
	s, _ := create(t, "full", options(func(o *state.Options) {
		o.Family, o.Nodes, o.Clients, o.Routers = state.Dual, 89, 3, []string{"frr", "frr", "bird", "bird", "frr"}
	}))
	l := s.Lab()
	seen := map[netip.Addr]string{}
	for _, gw := range []string{"172.30.1.1", "fd30:1::1"} {
		seen[netip.MustParseAddr(gw)] = "gateway"
	}
	for _, h := range l.Hosts {
		for i, p := range h.Addrs {
			if other := seen[p.Addr()]; other != "" {
				t.Errorf("%s has the address %s of %s", h.Name, p, other)
			}
			seen[p.Addr()] = h.Name
			if !l.Segment()[i].Contains(p.Addr()) || p.Masked() != l.Segment()[i] {
				t.Errorf("%s: address %s is not on segment %s", h.Name, p, l.Segment()[i])
			}
			if p.Addr().Is4() && p.Addr().As4()[3] >= 100 {
				t.Errorf("%s: address %s is left to pools", h.Name, p)
			}
		}
	}
	if _, err := l.NextNode(); err == nil {
		t.Error("NextNode of a full lab: no error")
	}
}

func TestOptionsCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*state.Options)
		want   string // "" means no error
	}{
		{name: "good"},
		{name: "no nodes", change: func(o *state.Options) { o.Nodes = 0 }, want: "nodes 0: want 1 to 89"},
		{name: "many clients", change: func(o *state.Options) { o.Clients = 4 }, want: "clients 4: want 0 to 3"},
		{name: "ipvs", change: func(o *state.Options) { o.Proxy = "ipvs" }, want: `kube-proxy mode "ipvs": want nftables or iptables`},
		{name: "unknown router", change: func(o *state.Options) { o.Routers = []string{"frr", "quagga"} }, want: `router "quagga": want frr or bird`},
		{name: "negative time", change: func(o *state.Options) { o.ProxyMinSync = -1 }, want: "kube-proxy minimum sync -1ns: negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := options(tt.change).Check(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFamilyText(t *testing.T) {
	for _, f := range []state.Family{state.IPv4, state.IPv6, state.Dual} {
		got, err := state.ParseFamily(f.String())
		if err != nil || got != f {
			t.Errorf("ParseFamily(%q) = %v, %v", f.String(), got, err)
		}
	}
	if _, err := state.ParseFamily("ipv5"); err == nil {
		t.Error("ParseFamily(ipv5): no error")
	}
}

func TestNodeNamed(t *testing.T) {
	s, _ := create(t, "nodes", options(nil))
	l := s.Lab()
	for name, good := range map[string]bool{"node1": true, "node89": true, "node0": false, "node90": false, "node01": false, "cp": false, "node": false} {
		h, err := l.NodeNamed(name)
		if (err == nil) != good {
			t.Errorf("NodeNamed(%q): %v", name, err)
		}
		if good && h.Name != name {
			t.Errorf("NodeNamed(%q) = %q", name, h.Name)
		}
	}
	next, err := l.NextNode()
	if diff := cmp.Diff("node3", next.Name); diff != "" || err != nil {
		t.Errorf("NextNode (-want +got), %v:\n%s", err, diff)
	}
}

var addresses = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})
