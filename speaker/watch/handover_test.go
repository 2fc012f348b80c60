package watch

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
)

// What was given away is answered for until it is taken, is ours again, or has
// been long enough.
func TestHandover(t *testing.T) {
	start := time.Unix(1000, 0)
	led := func(letters string) (out []Led) {
		for _, a := range winning(letters) {
			out = append(out, Led{Address: a.Address})
		}
		return out
	}
	at := func(letter byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, letter}) }
	given := []desired.Claim{
		{Address: at('b'), Node: "b"},
		{Address: at('c'), Node: "b"},
		{Address: at('d'), Node: "a"}, // kept
		{Address: at('e'), Node: "b"}, // never announced
	}
	type outcome struct {
		Letter string
		Yield  bool
	}
	tests := []struct {
		name    string
		after   time.Duration
		allowed []desired.Layer2Address
		led     []Led
		links   string // see linksOf
		want    []outcome
		next    time.Duration // after start; zero is never
	}{
		{
			"at once", 0, winning("d"), led("bcd"), "up",
			[]outcome{{"b", true}, {"c", true}, {"d", false}}, drainTimeout,
		},
		{"one is taken", time.Second, nil, led("c"), "up", []outcome{{"c", true}}, drainTimeout},
		{"one is ours again", 0, winning("c"), led("c"), "up", []outcome{{"c", false}}, 0},
		{"nobody takes it", drainTimeout, nil, led("bc"), "up", nil, 0},
		{"the link is down", 0, nil, led("bc"), "down", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h handover
			h.give(start, "a", given, winning("bcd"))
			want, next := h.pass(start.Add(tt.after), tt.allowed, tt.led, linksOf(tt.links))
			var got []outcome
			for _, a := range want {
				got = append(got, outcome{letters([]desired.Layer2Address{a}), a.Yield})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answered for (-want +got):\n%s", diff)
			}
			if at := next.Sub(start); !next.IsZero() && at != tt.next || next.IsZero() != (tt.next == 0) {
				t.Errorf("next change at %v, want after %v", next, tt.next)
			}
		})
	}
}
