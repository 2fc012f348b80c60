package layer2

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A station that floods the link with its claim is counted for each frame and
// heard a hundred times a second at most; others are heard all the same.
func TestClaimFlood(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0"}, "192.0.2.1", "192.0.2.2"))
		count := func(c string) float64 {
			if c == "conflicts" {
				return testutil.ToFloat64(r.a.metrics.conflicts.WithLabelValues("h0"))
			}
			return testutil.ToFloat64(r.a.metrics.requests.WithLabelValues("h0", c))
		}
		for range 100 {
			for range 10 {
				r.send("h0", claimBy(t, stranger, "192.0.2.1"))
				synctest.Wait()
			}
			r.count("h0", time.Millisecond, all)
		}
		if c, n := count(claimed.String()), count("conflicts"); c != 1000 || n < 9 || n > 11 {
			t.Errorf("%v claims, %v conflicts in 0.1 s, want 1000 and 10", c, n)
		}
		before := count("conflicts")
		r.send("h0", claimBy(t, stranger, "192.0.2.2"))
		synctest.Wait()
		if n := count("conflicts") - before; n != 1 {
			t.Errorf("%v conflicts about another address, want 1", n)
		}
	})
}
