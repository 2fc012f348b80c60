package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/heraldlb/herald/speaker/desired"
)

// A sink is a Router and a Session that does nothing.
type sink struct{ announced int }

func (s *sink) Open(Neighbor, []Path, func(Event)) (Session, error) { return s, nil }
func (s *sink) Announce(p []Path) error                             { s.announced += len(p); return nil }
func (s *sink) Withdraw(p []netip.Prefix) error                     { s.announced += len(p); return nil }
func (*sink) Reset(string) error                                    { return nil }
func (*sink) Close(Farewell) error                                  { return nil }

// BenchmarkSet is one changed route among ten thousand, for two peers. What has
// not changed shares memory, as results of desired do, or is a copy of it all.
func BenchmarkSet(b *testing.B) {
	for _, share := range []bool{true, false} {
		b.Run(map[bool]string{true: "shared", false: "copied"}[share], func(b *testing.B) {
			s := &sink{}
			links := func() ([]desired.Link, error) { return nodeLinks(), nil }
			h := &fakeHost{routes: map[netip.Addr]netip.Addr{addr("192.0.2.254"): addr("192.0.2.1"), addr("192.0.2.253"): addr("192.0.2.1")}}
			a := newAnnouncer(Config{Node: "n1", Router: s, Links: links, Detector: newFakeDetector()}, h)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- a.Start(ctx) }()
			defer func() { cancel(); <-ended }()
			sets := [2]desired.BGP{manyRoutes(10000), {}}
			sets[1] = sets[0]
			sets[1].Routes = slices.Clone(sets[0].Routes)
			if !share {
				sets[1].Routes = manyRoutes(10000).Routes
			}
			med := uint32(1)
			sets[1].Routes[5000].Attributes.MED = &med
			if err := a.Set(ctx, sets[0]); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				if err := a.Set(ctx, sets[n%2]); err != nil {
					b.Fatal(err)
				}
			}
			if s.announced != 2*n {
				b.Fatalf("%d prefixes sent in %d sets", s.announced, n)
			}
		})
	}
}

// manyRoutes returns n routes for two peers.
func manyRoutes(n int) desired.BGP {
	want := two()
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		r := routeTo(p.String(), "a", "b")
		r.Services = []string{fmt.Sprintf("ns/s%d", i)}
		want.Routes = append(want.Routes, r)
	}
	return want
}
