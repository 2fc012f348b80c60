package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Text returns r as lines for people.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d probes, one every %gms: %d good, %d failed\n", r.URL, r.Probes, r.EveryMs, r.Good, r.Failures)
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		fmt.Fprintf(&b, "  failed: %s: %d\n", reason, r.Reasons[reason])
	}
	if r.LongestGap != nil {
		fmt.Fprintf(&b, "longest gap between good answers: %.1f ms (from %.1f to %.1f ms)\n", r.LongestGapMs, r.LongestGap.FromMs, r.LongestGap.ToMs)
	}
	if r.FirstGoodMs == nil {
		fmt.Fprintf(&b, "no good answer at all\n")
	} else {
		fmt.Fprintf(&b, "first good answer at %.1f ms, none in the last %.1f ms\n", *r.FirstGoodMs, r.SilentAtEndMs)
	}
	if r.Latency != nil {
		fmt.Fprintf(&b, "answers took: median %.2f ms, p99 %.2f ms, longest %.2f ms\n", r.Latency.P50Ms, r.Latency.P99Ms, r.Latency.MaxMs)
	}
	for _, be := range r.Backends {
		name := be.Pod
		if name == "" {
			name = "(not an echo backend)"
		}
		if be.Node != "" {
			name += " on " + be.Node
		}
		fmt.Fprintf(&b, "backend %s: %d\n", name, be.Count)
	}
	for _, c := range slices.Sorted(maps.Keys(r.Clients)) {
		fmt.Fprintf(&b, "client seen as %s: %d\n", c, r.Clients[c])
	}
	if r.LateMs >= r.EveryMs {
		fmt.Fprintf(&b, "this machine was busy: a probe started %.1f ms late\n", r.LateMs)
	}
	return b.String()
}
