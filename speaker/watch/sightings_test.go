package watch

import (
	"net/netip"
	"testing"
	"time"
)

func TestSightings(t *testing.T) {
	addr := netip.AddrFrom4([4]byte{192, 0, 2, 'a'})
	zero := time.Unix(1000, 0)
	at := func(d time.Duration) Conflict {
		return Conflict{Address: addr, MAC: "02:00:00:00:00:01", Interface: "eth0", At: zero.Add(d)}
	}
	type step struct {
		at    time.Duration
		seen  bool
		since time.Duration // when the address became ours
		holds string        // letters of the addresses that are announced
		shown int
		next  time.Duration // zero for never
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"a fellow takes the address over", []step{
			{0, true, -time.Hour, "a", 0, 3 * time.Second},
			{100 * time.Millisecond, false, -time.Hour, "", 0, 0},
			{4 * time.Second, false, -time.Hour, "a", 0, 0},
		}},
		{"a fellow claims it a moment after we have taken it over", []step{
			{0, true, -time.Second, "a", 0, 5 * time.Minute},
			{time.Minute, false, 0, "a", 0, 5 * time.Minute},
			{5 * time.Minute, false, 0, "a", 0, 0},
		}},
		{"a stranger objects to our takeover", []step{
			{0, true, -time.Second, "a", 0, 5 * time.Minute},
			{10 * time.Second, true, -time.Second, "a", 1, 5*time.Minute + 10*time.Second},
		}},
		{"a stranger claims it for a while", []step{
			{0, true, -time.Hour, "a", 0, 3 * time.Second},
			{3 * time.Second, false, -time.Hour, "a", 1, 5 * time.Minute},
			{time.Minute, true, -time.Hour, "a", 1, 6 * time.Minute},
			{6*time.Minute - 1, false, -time.Hour, "a", 1, 6 * time.Minute},
			{6 * time.Minute, false, -time.Hour, "a", 0, 0},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s sightings
			for _, st := range tt.steps {
				if st.seen {
					s.add(at(st.at), zero.Add(st.since))
				}
				shown, next := s.current(zero.Add(st.at), winning(st.holds))
				want := time.Time{}
				if st.next != 0 {
					want = zero.Add(st.next)
				}
				if len(shown) != st.shown || !next.Equal(want) {
					t.Errorf("at %v: %d shown, next %v; want %d, %v", st.at, len(shown), next, st.shown, want)
				}
			}
		})
	}
}
