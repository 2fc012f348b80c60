package ipam

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

var benchStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkFill measures how long it takes to assign 20,000 owners an address
// each, in an empty pool.
func BenchmarkFill(b *testing.B) {
	const n = 20000
	for _, prefix := range []string{"10.0.0.0/8", "2001:db8::/64"} {
		b.Run(fmt.Sprintf("%s n=%d", netip.MustParsePrefix(prefix).Masked(), n), func(b *testing.B) {
			names := ownerNames(n)
			b.ReportAllocs()
			for b.Loop() {
				a, req := benchAllocator(b, prefix, 1)
				for _, name := range names {
					req.Owner = name
					if _, err := a.Allocate(req, benchStart); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkSharedKey measures owners that all have one key and one port, so
// that none can share and every one looks for an address to share.
func BenchmarkSharedKey(b *testing.B) {
	const n = 5000
	names := ownerNames(n)
	for b.Loop() {
		a, req := benchAllocator(b, "10.0.0.0/8", 1)
		req.Sharing = Sharing{Key: "k", Ports: []Port{{"TCP", 80}}}
		for _, name := range names {
			req.Owner = name
			mustAllocate(b, a, req)
		}
	}
}

// BenchmarkAllocate measures one address more (and its release) at several
// fills; the address space is dealt to as many pools, all of them candidates,
// and the first of them are full.
func BenchmarkAllocate(b *testing.B) {
	for _, prefix := range []string{"10.0.0.0/16", "10.0.0.0/8", "2001:db8::/64"} {
		for _, pools := range []int{1, 10, 1000} {
			for _, fill := range []int{0, 50, 99, 100} {
				b.Run(fmt.Sprintf("%s pools=%d fill=%d", prefix, pools, fill), func(b *testing.B) {
					a, req := benchAllocator(b, prefix, pools)
					fillPools(a, fill)
					for b.Loop() {
						_, err := a.Allocate(req, benchStart)
						if (err != nil) != (fill == 100) {
							b.Fatal(err)
						}
						a.Release(req.Owner, benchStart)
					}
				})
			}
		}
	}
}

// BenchmarkFragmented measures a pool with a million addresses in use and a
// gap after each: the worst that there can be for what keeps track of gaps.
func BenchmarkFragmented(b *testing.B) {
	const gaps = 1 << 20
	a, req := benchAllocator(b, "10.0.0.0/8", 1)
	s := a.order.pools[0].space(IPv4)
	for i := range uint64(gaps) {
		s.used.insert(iprange.CountOf(2 * i))
	}
	s.held = gaps
	b.Run("allocate", func(b *testing.B) {
		for b.Loop() {
			mustAllocate(b, a, req)
			a.Release(req.Owner, benchStart)
		}
	})
	b.Run("claim", func(b *testing.B) {
		addr := []netip.Addr{s.address(iprange.CountOf(gaps + 1))}
		for b.Loop() {
			if err := a.Claim(req.Owner, addr, Sharing{}, benchStart); err != nil {
				b.Fatal(err)
			}
			a.Release(req.Owner, benchStart)
		}
	})
}

// BenchmarkClaim measures a claim (and its release) in a /16 that owners
// have filled one by one.
func BenchmarkClaim(b *testing.B) {
	for _, fill := range []int{0, 50, 99} {
		b.Run(fmt.Sprintf("fill=%d", fill), func(b *testing.B) {
			a, req := benchAllocator(b, "10.0.0.0/16", 1)
			for _, name := range ownerNames(65536 * fill / 100) {
				req.Owner = name
				mustAllocate(b, a, req)
			}
			addr := []netip.Addr{netip.MustParseAddr("10.0.255.77")}
			for b.Loop() {
				if err := a.Claim("me", addr, Sharing{}, benchStart); err != nil {
					b.Fatal(err)
				}
				a.Release("me", benchStart)
			}
		})
	}
}

// BenchmarkSetPools measures a change of one pool of a thousand, beside
// 20,000 owners elsewhere, and one that hits all of them.
func BenchmarkSetPools(b *testing.B) {
	for _, hit := range []bool{false, true} {
		b.Run(fmt.Sprintf("hit=%v", hit), func(b *testing.B) {
			a, req := benchAllocator(b, "10.0.0.0/8", 1000)
			for _, name := range ownerNames(20000) {
				req.Owner = name
				mustAllocate(b, a, req)
			}
			var pools []Pool
			for _, p := range a.order.pools {
				pools = append(pools, p.Pool)
			}
			for b.Loop() {
				for i := range pools {
					if hit || i == len(pools)-1 {
						pools[i].AvoidBuggyIPs = !pools[i].AvoidBuggyIPs
					}
				}
				if err := a.SetPools(pools, benchStart); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchAllocator deals a prefix to pools of equal size, all of them candidates
// of the request.
func benchAllocator(b *testing.B, prefix string, n int) (*Allocator, Request) {
	b.Helper()
	whole := iprange.FromPrefix(netip.MustParsePrefix(prefix))
	req := Request{Owner: "me", Families: []Family{FamilyOf(whole.First())}}
	size := whole.Size().Sub(one).Uint64() / uint64(n)
	var pools []Pool
	for i := range uint64(n) {
		r, err := iprange.New(whole.At(iprange.CountOf(i*size)), whole.At(iprange.CountOf((i+1)*size-1)))
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("pool-%04d", i)
		pools = append(pools, Pool{Name: name, Ranges: []iprange.Range{r}, AvoidBuggyIPs: prefix == "10.0.0.0/8"})
	}
	a := New()
	if err := a.SetPools(pools, benchStart); err != nil {
		b.Fatal(err)
	}
	return a, req
}

// fillPools marks so many per cent of all addresses as in use, from the
// first on. What uses them is not there: to build it would take a while in a
// /64.
func fillPools(a *Allocator, fill int) {
	n := len(a.order.pools) * fill
	for _, p := range a.order.pools {
		for i := range p.spaces {
			s := &p.spaces[i]
			if s.size.IsZero() || n <= 0 {
				continue
			}
			last := s.size.Uint64() - 1
			if n < 100 {
				last = last / 100 * uint64(n)
			}
			s.used.insertRun(iprange.Count{}, iprange.CountOf(last))
			a.order.noteRoom(p, Family(i+1))
			n -= 100
		}
	}
}

func mustAllocate(b *testing.B, a *Allocator, req Request) {
	b.Helper()
	if _, err := a.Allocate(req, benchStart); err != nil {
		b.Fatal(err)
	}
}

func ownerNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("namespace-%d/service-%d", i%50, i)
	}
	return names
}
