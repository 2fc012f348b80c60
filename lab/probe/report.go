package probe

import (
	"cmp"
	"slices"
	"time"
)

// Report is what a run saw. Times within it are milliseconds since its start.
type Report struct {
	URL       string    `json:"url"`
	Started   time.Time `json:"started"`
	EveryMs   float64   `json:"everyMs"`
	ForMs     float64   `json:"forMs"`
	TimeoutMs float64   `json:"timeoutMs"`

	// Probes is how many probes ended; it is Good plus Failures.
	Probes   int `json:"probes"`
	Good     int `json:"good"`
	Failures int `json:"failures"`
	// Reasons counts the failures by reason.
	Reasons map[string]int `json:"reasons"`

	// LongestGap is the longest time from a good answer to the next good one;
	// nil with fewer than two good answers.
	LongestGap *Gap `json:"longestGap"`
	// LongestGapMs is the length of LongestGap, or 0.
	LongestGapMs float64 `json:"longestGapMs"`
	// FirstGoodMs is when the first good answer came; nil when none did.
	FirstGoodMs *float64 `json:"firstGoodMs"`
	// SilentAtEndMs is the time from the last good answer (or the start) to
	// the end of the run. It is no gap, since no good answer ended it.
	SilentAtEndMs float64 `json:"silentAtEndMs"`

	// Latency describes how long good answers took; nil when there is none.
	Latency *Latency `json:"latency"`
	// LateMs is the most that a probe started after its time: how far this
	// machine was too busy to measure.
	LateMs float64 `json:"lateMs"`

	// Backends counts good answers by who gave them, most first.
	Backends []Backend `json:"backends"`
	// Clients counts good answers by the client address the backend saw.
	Clients map[string]int `json:"clients"`
	// Answers is every probe in the order of their starts.
	Answers []Answer `json:"answers,omitempty"`
}

// Gap is a time without good answers between two good ones.
type Gap struct {
	FromMs float64 `json:"fromMs"`
	ToMs   float64 `json:"toMs"`
}

// Latency describes how long good answers took.
type Latency struct {
	P50Ms float64 `json:"p50Ms"`
	P99Ms float64 `json:"p99Ms"`
	MaxMs float64 `json:"maxMs"`
}

// Backend is one pod that answered; its name is empty for answers that no echo
// backend gave.
type Backend struct {
	Pod   string `json:"pod"`
	Node  string `json:"node,omitempty"`
	Count int    `json:"count"`
}

// Answer is one probe.
type Answer struct {
	AtMs   float64 `json:"atMs"`
	TookMs float64 `json:"tookMs"`
	Pod    string  `json:"pod,omitempty"`
	Node   string  `json:"node,omitempty"`
	Client string  `json:"client,omitempty"`
	Reason string  `json:"reason,omitempty"`
}

// Summarize makes the report of a run from its results in the order of their
// starts. elapsed is how long the run really took.
func Summarize(c Config, started time.Time, elapsed time.Duration, results []Result) *Report {
	r := &Report{
		URL: c.URL, Started: started.UTC(),
		EveryMs: ms(c.Every), ForMs: ms(c.For), TimeoutMs: ms(c.Timeout),
		Reasons: map[string]int{}, Clients: map[string]int{}, Backends: []Backend{},
	}
	var took, ends []time.Duration
	backends := map[Backend]int{}
	for _, res := range results {
		r.Probes++
		r.LateMs = max(r.LateMs, ms(res.Late))
		r.Answers = append(r.Answers, Answer{
			AtMs: ms(res.At), TookMs: ms(res.Took),
			Pod: res.Pod, Node: res.Node, Client: res.Client, Reason: res.Reason,
		})
		if res.Reason != "" {
			r.Failures++
			r.Reasons[res.Reason]++
			continue
		}
		r.Good++
		took, ends = append(took, res.Took), append(ends, res.At+res.Took)
		backends[Backend{Pod: res.Pod, Node: res.Node}]++
		if res.Client != "" {
			r.Clients[res.Client]++
		}
	}
	r.count(backends)
	r.gaps(ends, elapsed)
	r.latency(took)
	return r
}

// count fills in the backends, most answers first.
func (r *Report) count(backends map[Backend]int) {
	for b, n := range backends {
		b.Count = n
		r.Backends = append(r.Backends, b)
	}
	slices.SortFunc(r.Backends, func(a, b Backend) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Node, b.Node))
	})
}

// gaps fills in what lies between the good answers, which came at ends.
func (r *Report) gaps(ends []time.Duration, elapsed time.Duration) {
	if len(ends) == 0 {
		r.SilentAtEndMs = ms(elapsed)
		return
	}
	slices.Sort(ends) // answers may overtake one another
	first := ms(ends[0])
	r.FirstGoodMs = &first
	r.SilentAtEndMs = ms(max(0, elapsed-ends[len(ends)-1]))
	for i := 1; i < len(ends); i++ {
		if gap := ms(ends[i] - ends[i-1]); r.LongestGap == nil || gap > r.LongestGapMs {
			r.LongestGapMs = gap
			r.LongestGap = &Gap{FromMs: ms(ends[i-1]), ToMs: ms(ends[i])}
		}
	}
}

// latency fills in how long good answers took.
func (r *Report) latency(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(percent int) float64 { return ms(took[(len(took)-1)*percent/100]) }
	r.Latency = &Latency{P50Ms: at(50), P99Ms: at(99), MaxMs: at(100)}
}

// ms returns d in milliseconds, rounded to a microsecond.
func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
