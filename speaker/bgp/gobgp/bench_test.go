package gobgp

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/heraldlb/herald/speaker/bgp"
)

// BenchmarkAnnounce opens sessions with routes, until all routers have them all.
func BenchmarkAnnounce(b *testing.B) {
	for _, prefixes := range []int{1000, 10000} {
		for _, sessions := range []int{1, 2} {
			b.Run(fmt.Sprintf("prefixes=%d/sessions=%d", prefixes, sessions), func(b *testing.B) {
				var grown int64
				for b.Loop() {
					grown += announce(b, prefixes, sessions)
				}
				b.ReportMetric(float64(grown)/float64(b.N)/(1<<20), "MiB/op")
			})
		}
	}
}

// announce returns how much resident memory it took, with that of the routers.
func announce(b *testing.B, prefixes, sessions int) int64 {
	b.StopTimer()
	var links []*link
	var routers []*decent
	for range sessions {
		l := newLink(b)
		links, routers = append(links, l), append(routers, newDecent(b, l))
	}
	paths := make([]bgp.Path, prefixes)
	before := resident(b)
	b.StartTimer()
	var open []bgp.Session
	for _, l := range links {
		for i := range paths {
			a := netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)})
			paths[i] = bgp.Path{Prefix: netip.PrefixFrom(a, 32), NextHop: l.v4(1)}
		}
		s, _ := openSession(b, l.neighbor(), paths...)
		open = append(open, s)
	}
	for _, r := range routers {
		wait(b, "all prefixes", func() bool { return r.prefixes.Load() == int64(prefixes) })
	}
	b.StopTimer()
	grown := resident(b) - before
	for _, s := range open {
		must(b, s.Close(bgp.Cease))
	}
	b.StartTimer()
	return grown
}
