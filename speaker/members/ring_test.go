package members

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A key is accepted as soon as it is wanted, used after a while, and every
// other one is forgotten a while after that.
func TestRing(t *testing.T) {
	p := pace{use: 10 * time.Second, forget: time.Minute}
	type step struct {
		at   int  // seconds
		want byte // the key that is wanted
		keys string
		next int // seconds, -1 is never
		used bool
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{name: "nothing changes", steps: []step{
			{at: 0, want: 'a', keys: "a", next: -1},
			{at: 9999, want: 'a', keys: "a", next: -1},
		}},
		{name: "one after the other", steps: []step{
			{at: 0, want: 'b', keys: "ab", next: 10},
			{at: 9, want: 'b', keys: "ab", next: 10},
			{at: 10, want: 'b', keys: "ba", next: 70, used: true},
			{at: 69, want: 'b', keys: "ba", next: 70},
			{at: 70, want: 'b', keys: "b", next: -1},
		}},
		{name: "changed while a change is under way", steps: []step{
			{at: 0, want: 'b', keys: "ab", next: 10},
			{at: 5, want: 'c', keys: "abc", next: 15},
			{at: 15, want: 'c', keys: "cab", next: 75, used: true},
			{at: 75, want: 'c', keys: "c", next: -1},
		}},
		{name: "changed before the old one is forgotten", steps: []step{
			{at: 0, want: 'b', keys: "ab", next: 10},
			{at: 10, want: 'b', keys: "ba", next: 70, used: true},
			{at: 65, want: 'c', keys: "bac", next: 75},
			{at: 70, want: 'c', keys: "bac", next: 75},
			{at: 75, want: 'c', keys: "cba", next: 135, used: true},
			{at: 135, want: 'c', keys: "c", next: -1},
		}},
		{name: "changed back before it is used", steps: []step{
			{at: 0, want: 'b', keys: "ab", next: 10},
			{at: 5, want: 'a', keys: "ab", next: 65},
			{at: 65, want: 'a', keys: "a", next: -1},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Unix(1000, 0)
			r := newRing(key{'a'}, p)
			var got []step
			for _, s := range tt.steps {
				next, used := r.advance(start.Add(time.Duration(s.at)*time.Second), key{s.want})
				g := step{at: s.at, want: s.want, used: used, next: -1}
				if !next.IsZero() {
					g.next = int(next.Sub(start) / time.Second)
				}
				for _, k := range r.keys.GetKeys() {
					g.keys += string(k[:1])
				}
				got = append(got, g)
			}
			if diff := cmp.Diff(tt.steps, got, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// A process may stand still for 0.6 s without being taken for dead, and in no
// cluster of up to a hundred nodes does a suspicion take longer than 0.9 s. The
// other profiles are slower by a factor.
func TestTune(t *testing.T) {
	tests := []struct {
		profile Profile
		factor  time.Duration
	}{{0, 1}, {LANFast, 1}, {Steady, 2}, {WAN, 5}}
	for _, tt := range tests {
		for n := 2; n <= 100; n++ {
			c := tune(Config{Node: "a", Addr: address(), Port: testPort, Profile: tt.profile}, n)
			scale := max(1, math.Log10(float64(n))) // as memberlist does
			got := time.Duration(float64(c.SuspicionMult) * scale * float64(c.ProbeInterval))
			if got < 590*time.Millisecond*tt.factor || got > 900*time.Millisecond*tt.factor {
				t.Errorf("%v, %d nodes: suspicion lasts %v, want 0.6 s to 0.9 s times %d", tt.profile, n, got, tt.factor)
			}
		}
	}
}

func TestProfile(t *testing.T) {
	for _, p := range []Profile{LANFast, Steady, WAN} {
		if got, err := ParseProfile(p.String()); got != p || err != nil {
			t.Errorf("ParseProfile(%q) = %v, %v, want %v", p.String(), got, err, p)
		}
	}
	for _, name := range []string{"", "fast", "LAN-fast", "Profile(0)"} {
		got, err := ParseProfile(name)
		want := fmt.Sprintf("profile %q: want one of lan-fast, steady, wan", name)
		if err == nil || err.Error() != want {
			t.Errorf("ParseProfile(%q) = %v, %v, want error %q", name, got, err, want)
		}
	}
	if got := Profile(0).String(); got != "Profile(0)" {
		t.Errorf("zero Profile is %q", got)
	}
}
