package watch

import (
	"testing"
	"time"
)

// Law: passes that always have something to do cost at most one part in paceShare
// of the time, beyond the credit, or wait paceMost; and none waits while there is
// credit.
func TestBudget(t *testing.T) {
	for _, took := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond, time.Second} {
		t.Run(took.String(), func(t *testing.T) {
			var b budget
			start := time.Unix(0, 0)
			now, cost := start, time.Duration(0)
			for range 1000 {
				wait := b.wait(now)
				switch earned := now.Sub(start) / paceShare; {
				case cost <= paceCredit && wait > 0:
					t.Fatalf("after %v waits %v, with credit", cost, wait)
				case wait > paceMost:
					t.Fatalf("waits %v, want at most %v", wait, paceMost)
				case wait <= 0 && cost > earned+paceCredit+time.Millisecond && now.Sub(b.at) < paceMost:
					t.Fatalf("after %v cost %v, and does not wait", now.Sub(start), cost)
				}
				now = now.Add(max(0, wait))
				b.spend(now, took)
				now, cost = now.Add(took), cost+took
			}
			if want := (cost - paceCredit) * paceShare; now.Sub(start) < min(want, 999*paceMost)-time.Second {
				t.Errorf("1000 passes took %v, want about %v at least", now.Sub(start), min(want, 999*paceMost))
			}
			if b.wait(now.Add(time.Hour)) > 0 {
				t.Error("waits after an hour's rest")
			}
		})
	}
}
