package layer2

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// The time from Set to the first answer for an address that has just come, on a
// real link, alone and among ten thousand others. Run on demand.
func TestMeasureFirstAnswer(t *testing.T) {
	if os.Getenv(measureEnv) == "" {
		t.Skip("a measurement: set " + measureEnv)
	}
	const rounds = 21
	for _, others := range []int{0, 10_000} {
		for name, addr := range families {
			for _, fresh := range []bool{false, true} {
				var took []time.Duration
				for range rounds {
					took = append(took, firstAnswer(t, scattered(others), addr, fresh))
				}
				slices.Sort(took)
				what := fmt.Sprintf("%s, fresh %t, among %d", name, fresh, others)
				t.Logf("%s: n=%d median=%s min=%s max=%s", what, rounds, took[rounds/2], took[0], took[rounds-1])
				if bound := map[bool]time.Duration{true: 60 * time.Millisecond, false: 20 * time.Millisecond}[fresh]; others == 0 && took[rounds/2] > bound {
					t.Errorf("%s: median %s, want at most %s", what, took[rounds/2], bound)
				}
			}
		}
	}
}

// firstAnswer sets one address more, and asks for it every millisecond from then
// on until there is an answer.
func firstAnswer(t *testing.T, others []desired.Layer2Address, addr string, fresh bool) time.Duration {
	t.Helper()
	lan := newVethLAN(t, "h0")
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	r.count("h0", 50*time.Millisecond, all) // the link is up
	r.set(others)
	r.count("h0", time.Duration(len(others))*200*time.Microsecond, all)

	q, isAnswer := question(t, r.mac("h0"), addr)
	want := append(others[:len(others):len(others)], desired.Layer2Address{Address: ip(t, addr), Interfaces: []string{"h0"}, Fresh: fresh})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	r.set(want)
	r.send("h0", q)
	for {
		select {
		case f := <-r.frames("h0"):
			if isAnswer(f) {
				return time.Since(began)
			}
		case <-tick.C:
			r.send("h0", q)
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("no answer for %s", addr)
		}
	}
}
