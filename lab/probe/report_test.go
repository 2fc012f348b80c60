package probe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// good returns a good result from a pod, started at and answered took later.
func good(at, took float64, pod string) Result {
	return Result{At: dur(at), Took: dur(took), Pod: pod, Node: "node-" + pod, Client: "172.30.0.2"}
}

// bad returns a probe that failed.
func bad(at float64, reason string) Result { return Result{At: dur(at), Took: dur(1), Reason: reason} }

// dur returns a duration of so many milliseconds.
func dur(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func TestSummarize(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	type summary struct {
		Probes, Good, Failures int
		Reasons                map[string]int
		Gap                    *Gap
		GapMs                  float64
		FirstGood              *float64
		SilentAtEnd            float64
		Latency                *Latency
		Late                   float64
		Backends               []Backend
		Clients                map[string]int
	}
	tests := []struct {
		name    string
		results []Result
		elapsed float64
		want    summary
	}{
		{
			name: "nothing", elapsed: 100,
			want: summary{Reasons: map[string]int{}, SilentAtEnd: 100, Backends: []Backend{}, Clients: map[string]int{}},
		},
		{
			name: "only failures", elapsed: 30,
			results: []Result{bad(0, "timeout"), bad(10, "connection refused"), bad(20, "timeout")},
			want: summary{
				Probes: 3, Failures: 3, SilentAtEnd: 30, Backends: []Backend{}, Clients: map[string]int{},
				Reasons: map[string]int{"timeout": 2, "connection refused": 1},
			},
		},
		{
			name: "one good answer makes no gap", elapsed: 30,
			results: []Result{bad(0, "timeout"), good(10, 2, "a")},
			want: summary{
				Probes: 2, Good: 1, Failures: 1, Reasons: map[string]int{"timeout": 1},
				FirstGood: f(12), SilentAtEnd: 18, Latency: &Latency{2, 2, 2},
				Backends: []Backend{{"a", "node-a", 1}}, Clients: map[string]int{"172.30.0.2": 1},
			},
		},
		{
			name: "the gap runs from answer to answer", elapsed: 72,
			results: []Result{good(0, 1, "a"), good(10, 1, "a"), bad(20, "timeout"), bad(30, "timeout"), good(40, 1, "b"), good(50, 2, "b"), good(60, 1, "b")},
			want: summary{
				Probes: 7, Good: 5, Failures: 2, Reasons: map[string]int{"timeout": 2},
				Gap: &Gap{11, 41}, GapMs: 30, FirstGood: f(1), SilentAtEnd: 11,
				Latency:  &Latency{1, 1, 2},
				Backends: []Backend{{"b", "node-b", 3}, {"a", "node-a", 2}},
				Clients:  map[string]int{"172.30.0.2": 5},
			},
		},
		{
			name: "a late answer of an early probe closes the gap first", elapsed: 60,
			results: []Result{good(0, 1, "a"), good(10, 40, "a"), good(20, 1, "a"), good(30, 1, "a")},
			want: summary{
				Probes: 4, Good: 4, Reasons: map[string]int{},
				Gap: &Gap{1, 21}, GapMs: 20, FirstGood: f(1), SilentAtEnd: 10,
				Latency:  &Latency{1, 1, 40},
				Backends: []Backend{{"a", "node-a", 4}}, Clients: map[string]int{"172.30.0.2": 4},
			},
		},
		{
			name: "the latest start", elapsed: 10,
			results: []Result{{Late: dur(1.5)}, {Late: dur(7.25)}, {Late: dur(3)}},
			want: summary{
				Probes: 3, Good: 3, Reasons: map[string]int{}, Gap: &Gap{}, FirstGood: f(0), SilentAtEnd: 10,
				Latency: &Latency{}, Late: 7.25, Backends: []Backend{{Count: 3}}, Clients: map[string]int{},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Summarize(Config{}, time.Time{}, dur(tt.elapsed), tt.results)
			got := summary{
				r.Probes, r.Good, r.Failures, r.Reasons, r.LongestGap, r.LongestGapMs, r.FirstGoodMs,
				r.SilentAtEndMs, r.Latency, r.LateMs, r.Backends, r.Clients,
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			if len(r.Answers) != len(tt.results) {
				t.Errorf("%d answers, want %d", len(r.Answers), len(tt.results))
			}
		})
	}
}

func TestText(t *testing.T) {
	c := Config{URL: "http://10.0.0.1/", Every: 10 * time.Millisecond}
	r := Summarize(c, time.Time{}, dur(50), []Result{good(0, 1, "a"), bad(10, "timeout"), good(20, 1, "b")})
	want := `http://10.0.0.1/: 3 probes, one every 10ms: 2 good, 1 failed
  failed: timeout: 1
longest gap between good answers: 20.0 ms (from 1.0 to 21.0 ms)
first good answer at 1.0 ms, none in the last 29.0 ms
answers took: median 1.00 ms, p99 1.00 ms, longest 1.00 ms
backend a on node-a: 1
backend b on node-b: 1
client seen as 172.30.0.2: 2
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
