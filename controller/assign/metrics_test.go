package assign

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// series returns the gauges of a collector, as "name{labels} value", that are
// not zero.
func series(t *testing.T, c prometheus.Collector) []string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if v := m.GetGauge().GetValue(); v != 0 {
				out = append(out, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), v))
			}
		}
	}
	slices.Sort(out)
	return out
}

// The series of a pool go with it, and those of a term with the term.
func TestCollector(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"), poolObject("iron", "2001:db8::/126"))
	c.create(serviceNamed("a"), serviceNamed("b", asksPool("nowhere")))
	c.settle()
	want := []string{
		metricLeader + "{} 1",
		metricAddresses + "{IPv4,gold,assigned} 1", metricAddresses + "{IPv4,gold,available} 3", metricAddresses + "{IPv4,gold,total} 4",
		metricAddresses + "{IPv6,iron,available} 3", metricAddresses + "{IPv6,iron,total} 3",
		metricServices + "{Assigned} 1", metricServices + "{UnknownPool} 1",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, series(t, newCollector(c.a))); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	c.remove(poolObject("iron"))
	c.settle()
	want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, "iron") })
	if diff := cmp.Diff(want, series(t, newCollector(c.a))); diff != "" {
		t.Errorf("series without the pool (-want +got):\n%s", diff)
	}
	c.a.setTerm(nil)
	if got := series(t, newCollector(c.a)); len(got) > 0 {
		t.Errorf("series outside of a term: %v", got)
	}
}

func TestConfigValid(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"))
	c.settle()
	if got := series(t, c.a.metrics.valid); !slices.Equal(got, []string{metricConfigValid + "{} 1"}) {
		t.Errorf("valid configuration: %v", got)
	}
	c.create(poolObject("rival", "192.0.2.0/31"))
	c.settle()
	if got := series(t, c.a.metrics.valid); len(got) > 0 {
		t.Errorf("rejected pool: %v", got)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for i, r := range reasons {
		if name := r.String(); name == "Unset" || seen[name] || r != Reason(i+1) {
			t.Errorf("reason %d: %q", r, name)
		} else {
			seen[name] = true
		}
	}
	if got := Reason(0).String(); got != "Unset" {
		t.Errorf("zero reason: %q", got)
	}
	if got := (reasons[len(reasons)-1] + 1).String(); got != "Unset" {
		t.Errorf("reason %q is not among reasons", got)
	}
}
