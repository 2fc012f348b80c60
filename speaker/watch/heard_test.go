package watch

import (
	"net/netip"
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// A node of which a new claim is heard counts as alive for a while, unless it is
// known to be anyway.
func TestHeard(t *testing.T) {
	now := time.Unix(1000, 0)
	addr := netip.MustParseAddr("192.0.2.1")
	alive := map[string]bool{"a": true}
	var none *desired.Claims
	first := none.With(desired.Claim{Address: addr, Node: "b", Epoch: 1})
	second := first.With(desired.Claim{Address: addr, Node: "b", Epoch: 2})

	var h heard
	expect := func(when string, at time.Duration, claims *desired.Claims, b bool, next time.Duration) {
		t.Helper()
		all, then := h.pass(now.Add(at), alive, claims)
		if all["b"] != b || !all["a"] || then.IsZero() != (next == 0) || next != 0 && then.Sub(now) != next {
			t.Errorf("%s: alive %v, next change at %v; want b %t, after %v", when, all, then, b, next)
		}
	}
	expect("what was there at the start", 0, first, false, 0)
	expect("a new claim", time.Second, second, true, 2*time.Second)
	expect("still fresh", 1900*time.Millisecond, second, true, 2*time.Second)
	expect("long ago", 2*time.Second, second, false, 0)
	expect("given back", 3*time.Second, second.With(desired.Claim{Address: addr, Node: desired.Nobody, Epoch: 3}), false, 0)
	if len(alive) != 1 {
		t.Errorf("alive was written: %v", alive)
	}
}
