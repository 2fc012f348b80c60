package diff_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/internal/diff"
)

func equal(a, b int) bool { return a == b }

func TestOf(t *testing.T) {
	tests := []struct {
		name       string
		have, want map[string]int
		change     diff.Change[string]
	}{
		{name: "nothing"},
		{name: "same", have: map[string]int{"a": 1}, want: map[string]int{"a": 1}},
		{name: "add in order", want: map[string]int{"b": 2, "a": 1, "c": 0}, change: diff.Change[string]{Add: []string{"a", "b", "c"}}},
		{name: "remove in order", have: map[string]int{"b": 2, "a": 0}, change: diff.Change[string]{Remove: []string{"a", "b"}}},
		{
			name: "all three",
			have: map[string]int{"a": 1, "b": 2, "c": 3}, want: map[string]int{"b": 2, "c": 4, "d": 5},
			change: diff.Change[string]{Add: []string{"d"}, Update: []string{"c"}, Remove: []string{"a"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diff.Of(tt.have, tt.want, cmp.Compare[string], equal)
			if d := gocmp.Diff(tt.change, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if got.IsZero() != (tt.name == "nothing" || tt.name == "same") {
				t.Errorf("zero: %v", got.IsZero())
			}
		})
	}
}

// Applying the change to the actual set gives the desired one, and a set has
// no change to its own copy.
func TestOfLaw(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		have, want := someSet(random), someSet(random)
		c := diff.Of(have, want, cmp.Compare[int], equal)
		got := maps.Clone(have)
		for _, k := range c.Remove {
			delete(got, k)
		}
		for _, k := range slices.Concat(c.Add, c.Update) {
			got[k] = want[k]
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%v to %v by %+v gives %v", have, want, c, got)
		}
		if c := diff.Of(have, maps.Clone(have), cmp.Compare[int], equal); !c.IsZero() {
			t.Fatalf("%v to itself by %+v", have, c)
		}
	}
}

func someSet(random *rand.Rand) map[int]int {
	set := map[int]int{}
	for range random.IntN(8) {
		set[random.IntN(10)] = random.IntN(3)
	}
	return set
}
