package config_test

import (
	"fmt"
	"testing"

	"github.com/heraldlb/herald/config"
)

// BenchmarkParse measures reading a configuration of many pools: disjoint ones,
// and ones that overlap an older one, which are all rejected but the first.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		for _, overlap := range []bool{false, true} {
			b.Run(fmt.Sprintf("pools=%d overlap=%v", n, overlap), func(b *testing.B) {
				var docs []string
				for i := range n {
					spec := fmt.Sprintf(`addresses: [10.%d.%d.0/24, "fd00:%x::/64"], exclude: [10.%d.%d.7],
						serviceAllocation: {priority: %d, namespaces: [shop]}`, i/250, i%250, i, i/250, i%250, i%7)
					if overlap {
						spec = "addresses: [10.0.0.0/16]"
					}
					docs = append(docs, pool(fmt.Sprintf("pool-%04d", i), i%60, spec))
				}
				docs = append(docs, object("L2Advertisement", "all", 1, ""))
				o := objects(b, docs...)
				b.ReportAllocs()
				want := n
				if overlap {
					want = 1
				}
				for b.Loop() {
					if c, _ := config.Parse(o); len(c.Pools) != want {
						b.Fatalf("%d pools accepted, want %d", len(c.Pools), want)
					}
				}
			})
		}
	}
}
