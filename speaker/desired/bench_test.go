package desired_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// bigInput returns the Input of a cluster whose Services have one address
// each, labels of their own, and endpoints on two nodes; every fourth is Local.
func bigInput(tb testing.TB, services, nodes int) desired.Input {
	tb.Helper()
	o := config.Objects{
		Pools: []v1beta1.IPAddressPool{newPool("web", "10.0.0.0/16"), newPool("other", "10.1.0.0/16")},
		L2Advertisements: []v1beta1.L2Advertisement{
			parseL2(tb, "all", []string{"pools=web"}),
			parseL2(tb, "front", []string{"pools=web", "services=tier=front", "nodes=zone=z1", "interfaces=eth*"}),
			parseL2(tb, "ssd", []string{"pools=web", "services=app=app-7", "prefer=10:disk=ssd"}),
			parseL2(tb, "other", []string{"pools=other"}),
		},
	}
	in := desired.Input{
		Node: "node-1", Config: mustParse(tb, o), Alive: map[string]bool{}, Links: oneLink(),
		PeerLinks: map[string][]desired.Link{}, Expected: nodes, Steady: true,
	}
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		in.Nodes = append(in.Nodes, desired.Node{Name: name, Labels: config.Labels{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			"zone": fmt.Sprintf("z%d", i%3), "disk": []string{"ssd", "hdd"}[i%2],
		}})
		in.Alive[name] = true
		in.PeerLinks[name] = []desired.Link{
			{Name: "eth0", Up: true, Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 255, byte(i)}), 16)}},
			{Name: "cni0", Up: true, Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 1}), 24)}},
		}
	}
	for i := range services {
		in.Services = append(in.Services, &desired.Service{
			Key:       fmt.Sprintf("namespace-%d/service-%d", i%50, i),
			Labels:    config.Labels{"app": fmt.Sprintf("app-%d", i), "tier": []string{"front", "back"}[i%2]},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})},
			Local:     i%4 == 0,
			Serving:   map[string]bool{in.Nodes[i%nodes].Name: true, in.Nodes[(i+1)%nodes].Name: true},
		})
	}
	return in
}

// claimed returns an Input to which the claims have been made that all speakers
// make together.
func claimed(in desired.Input) desired.Input {
	all, node := in.Services, in.Node
	// Of the Local ones a node's State does not tell who else holds them.
	in.Services = slices.DeleteFunc(slices.Clone(all), func(s *desired.Service) bool { return !s.Local })
	for _, n := range in.Nodes {
		in.Node = n.Name
		in.Claims = in.Claims.With(desired.Compute(in).Claims...)
	}
	in.Services, in.Node = all, node
	state := desired.Compute(in)
	claims := state.Claims
	for d := range state.Declined.All() {
		if d.Holder != "" {
			claims = append(claims, desired.Claim{Address: d.Address, Node: d.Holder, Epoch: 1})
		}
	}
	in.Claims = in.Claims.With(claims...)
	return in
}

// sizes runs a benchmark at the sizes that we promise figures for.
func sizes(b *testing.B, bench func(b *testing.B, in desired.Input)) {
	for _, services := range []int{1000, 10000} {
		for _, nodes := range []int{3, 100} {
			b.Run(fmt.Sprintf("%dx%d", services, nodes), func(b *testing.B) {
				in := bigInput(b, services, nodes)
				b.ReportAllocs()
				bench(b, in)
			})
		}
	}
}

// Nothing is claimed yet: all addresses are placed.
func BenchmarkFull(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		for b.Loop() {
			desired.Compute(in)
		}
	})
}

// A speaker starts where all is claimed.
func BenchmarkFullClaimed(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		in = claimed(in)
		for b.Loop() {
			desired.Compute(in)
		}
	})
}

// Another node's claim changes.
func BenchmarkOneClaim(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		in = claimed(in)
		var c desired.Computer
		c.Compute(in)
		i := 0
		for b.Loop() {
			i = (i + 7919) % len(in.Services)
			claim := in.Claims.Of(in.Services[i].Addresses[0])
			claim.Epoch++
			in.Claims = in.Claims.With(claim)
			c.Compute(in)
		}
	})
}

// One Service's endpoints change.
func BenchmarkOneChange(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) { oneChange(b, in, func([]*desired.Service) {}) })
}

// One Service's endpoints change, and the Services come in another order.
func BenchmarkOneChangeShuffled(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		r := rand.New(rand.NewPCG(1, 2))
		oneChange(b, in, func(s []*desired.Service) {
			b.StopTimer()
			r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
			b.StartTimer()
		})
	})
}

func oneChange(b *testing.B, in desired.Input, reorder func([]*desired.Service)) {
	b.Helper()
	in = claimed(in)
	var c desired.Computer
	c.Compute(in)
	i := 0
	for b.Loop() {
		in.Services = slices.Clone(in.Services)
		reorder(in.Services)
		i = (i + 7919) % len(in.Services)
		changed := *in.Services[i]
		changed.Serving = map[string]bool{in.Nodes[i%len(in.Nodes)].Name: true}
		in.Services[i] = &changed
		c.Compute(in)
	}
}

// A Service comes, and goes again: two passes an operation.
func BenchmarkComeAndGo(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		in = claimed(in)
		var c desired.Computer
		all := in.Services
		c.Compute(in)
		i := 0
		for b.Loop() {
			i = (i + 7919) % len(all)
			in.Services = slices.Delete(slices.Clone(all), i, i+1)
			c.Compute(in)
			in.Services = all
			c.Compute(in)
		}
	})
}

// A node dies, and what it held is placed anew; then it comes back: two passes
// an operation. The others have not told of their claims yet.
func BenchmarkFailover(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		in = claimed(in)
		var c desired.Computer
		alive := in.Alive
		dead := map[string]bool{}
		for n := range alive {
			dead[n] = n != "node-2"
		}
		for b.Loop() {
			in.Alive = dead
			c.Compute(in)
			in.Alive = alive
			c.Compute(in)
		}
	})
}

// Nothing changes.
func BenchmarkNoChange(b *testing.B) {
	sizes(b, func(b *testing.B, in desired.Input) {
		in = claimed(in)
		var c desired.Computer
		c.Compute(in)
		for b.Loop() {
			c.Compute(in)
		}
	})
}

// How evenly addresses in a row are spread over three nodes: the most that one
// holds by the mean, on average over many pools (1 is even, 3 is all on one).
func BenchmarkSpread(b *testing.B) {
	for _, addresses := range []int{3, 10, 100, 1000} {
		b.Run(fmt.Sprintf("%dx3", addresses), func(b *testing.B) {
			const pools = 200
			sum := 0.0
			for b.Loop() {
				sum = 0
				for pool := range pools {
					sum += mostByMean(b, addresses, pool)
				}
			}
			b.ReportMetric(sum/pools, "max/mean")
		})
	}
}

func mostByMean(b *testing.B, addresses, pool int) float64 {
	b.Helper()
	in := bigInput(b, addresses, 3)
	in.Config = mustParse(b, config.Objects{
		Pools:            []v1beta1.IPAddressPool{newPool("all", "10.0.0.0/8")},
		L2Advertisements: []v1beta1.L2Advertisement{parseL2(b, "all", nil)},
	})
	for i, s := range in.Services {
		at := i + 1 + pool*2048
		s.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, byte(at >> 16), byte(at >> 8), byte(at)})}
		s.Local = false
	}
	most := 0
	for _, n := range in.Nodes {
		in.Node = n.Name
		most = max(most, len(desired.Compute(in).Layer2))
	}
	return float64(most) * 3 / float64(addresses)
}
