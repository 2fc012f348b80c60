package figures_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/figures"
)

func TestTable(t *testing.T) {
	tab := figures.Table{Title: "all of it"}
	tab.Part("first")
	tab.Add(
		figures.Figure{Name: "good", Unit: "ms", Samples: []float64{30, 10, 20}, Most: figures.AtMost(20)},
		figures.Figure{Name: "bad", Samples: []float64{2, 3}, Most: figures.AtMost(1)})
	tab.Part("second")
	tab.Add(
		figures.Figure{Name: "plain", Unit: "s", Samples: []float64{7}},
		figures.Figure{Name: "never", Unit: "s", Most: figures.AtMost(0)})
	tab.Note("it broke")
	var b strings.Builder
	if err := tab.Write(&b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); len(f) > 0 {
			got = append(got, strings.Join(f, " "))
		}
	}
	want := []string{
		"all of it",
		"first", "n median min max unit wanted", "good 3 20 10 30 ms <= 20 met", "bad 2 2.50 2 3 <= 1 MISSED",
		"second", "n median min max unit wanted", "plain 1 7 7 7 s", "never 0 s <= 0 not measured", "it broke",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "1.25": 1.25, "12.3": 12.34, "123": 123.4, "4": 4, "-0.50": -0.5, "NaN": math.NaN()} {
		if got := figures.Number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

// Law: at most half of the samples are below the median, and at most half above.
func TestMedian(t *testing.T) {
	tests := []struct {
		name    string
		samples []float64
		want    float64
	}{
		{name: "one", samples: []float64{3}, want: 3},
		{name: "odd", samples: []float64{9, 1, 5}, want: 5},
		{name: "even", samples: []float64{4, 1, 2, 9}, want: 3},
	}
	for _, tt := range tests {
		if got := figures.Median(tt.samples); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := figures.Median(nil); !math.IsNaN(got) {
		t.Errorf("nothing: got %v, want NaN", got)
	}
}
