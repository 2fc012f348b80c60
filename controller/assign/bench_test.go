package assign

import (
	"fmt"
	"testing"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/iprange"
)

// BenchmarkChurn measures what it takes to decide that one Service goes and
// another one comes, beside many that have addresses and many that wait for one.
func BenchmarkChurn(b *testing.B) {
	for _, waiting := range []int{0, 100, 5000} {
		b.Run(fmt.Sprintf("assigned=5000 waiting=%d", waiting), func(b *testing.B) {
			const assigned = 5000
			now := time.Unix(1e9, 0)
			first := addrs(b, "10.200.0.0", "10.200.19.135") // so many
			r, err := iprange.New(first[0], first[1])
			if err != nil {
				b.Fatal(err)
			}
			bk := newBook()
			bk.start(nil, now)
			if err := bk.configure([]config.Pool{{Name: "p", AutoAssign: true, Ranges: []iprange.Range{r}}}, nil, now); err != nil {
				b.Fatal(err)
			}
			n := 0
			add := func() {
				s := serviceNamed(fmt.Sprintf("s%06d", n))
				s.CreationTimestamp.Time = now.Add(time.Duration(n) * time.Second)
				bk.observe(newRequest(s), now)
				n++
			}
			for range assigned + waiting {
				add()
			}
			bk.takeChanged()
			oldest := 0
			for b.Loop() {
				bk.forget(fmt.Sprintf("default/s%06d", oldest), now)
				oldest++
				add()
				bk.retry(now)
				bk.takeChanged()
			}
			if got := len(bk.waiting); got != waiting {
				b.Fatalf("%d wait, want %d", got, waiting)
			}
		})
	}
}
