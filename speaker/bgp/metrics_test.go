package bgp

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/desired"
)

// series returns the values of all series of a peer, by name and other label.
func series(t *testing.T, r *prometheus.Registry, peer string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name, of := f.GetName(), ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "peer" {
					of = l.GetValue()
				} else {
					name += " " + l.GetValue()
				}
			}
			if of == peer {
				out[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// Series come with a peer and go with it.
func TestMetrics(t *testing.T) {
	inWorld(t, func(w *world) {
		r := prometheus.NewRegistry()
		*w.metrics = *newMetrics(r)
		w.set(two(routeTo("10.0.0.1/32", "a", "b"), routeTo("10.0.0.2/32", "a")))
		w.router.establish("a", 0)
		synctest.Wait()
		w.router.tell("a", Event{State: Idle, Reason: "lost"})
		w.set(two(routeTo("10.0.0.1/32", "a", "b")))
		want := map[string]float64{
			metricUp: 0, metricRoutes: 1, metricTransitions + " up": 1, metricTransitions + " down": 1,
			metricSent + " announced": 2, metricSent + " withdrawn": 1,
		}
		got := series(t, r, "a")
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s is %v, want %v", name, got[name], v)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d series, want %d: %v", len(got), len(want), got)
		}
		only := two()
		only.Sessions = slices.Clone(only.Sessions[1:])
		w.set(only)
		if got := series(t, r, "a"); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
		w.set(desired.BGP{})
		if got := series(t, r, "b"); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}
