package layer2

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/desired"
)

// Names of the metrics.
const (
	metricRequests    = "herald_layer2_requests_total"
	metricUnsolicited = "herald_layer2_unsolicited_total"
	metricConflicts   = "herald_layer2_conflicts_total"
	metricAddresses   = "herald_layer2_addresses"
	metricContested   = "herald_layer2_contested_addresses"
	metricProbes      = "herald_layer2_probes_total"
	metricTakeovers   = "herald_layer2_takeovers_total"
)

// metrics are those of one Announcer.
type metrics struct {
	requests    *prometheus.CounterVec
	unsolicited *prometheus.CounterVec
	conflicts   *prometheus.CounterVec
	probes      *prometheus.CounterVec
	takeovers   *prometheus.CounterVec
	addresses   *prometheus.GaugeVec
	contested   *prometheus.GaugeVec
}

// newMetrics registers the metrics; with a nil Registerer nobody sees them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricRequests,
			Help: "ARP and neighbor discovery frames that passed the socket filter, by what became of them.",
		}, []string{"interface", "outcome"}),
		unsolicited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricUnsolicited,
			Help: "Announcements sent unasked, one for each address and time.",
		}, []string{"interface"}),
		conflicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricConflicts,
			Help: "Claims of stations that are no speakers to an address that this node announces or probes for.",
		}, []string{"interface"}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricProbes,
			Help: "Frames that asked whether another station has an address, before it was announced for the first time.",
		}, []string{"interface"}),
		takeovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricTakeovers,
			Help: "Addresses that this node has begun to announce, by why it was this node.",
		}, []string{"cause"}),
		addresses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricAddresses,
			Help: "Addresses that this node answers for.",
		}, []string{"interface"}),
		contested: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricContested,
			Help: "Addresses that this node would answer for if another station did not have them.",
		}, []string{"interface"}),
	}
	for c := desired.Placed; c.String() != desired.Cause(0).String(); c++ {
		m.takeovers.WithLabelValues(c.String()) // so that the first one is an increase
	}
	if r != nil {
		r.MustRegister(m.requests, m.unsolicited, m.conflicts, m.probes, m.takeovers, m.addresses, m.contested)
	}
	return m
}

// forget drops the series of an interface that is not used any more.
func (m *metrics) forget(name string) {
	l := prometheus.Labels{"interface": name}
	m.requests.DeletePartialMatch(l)
	m.unsolicited.DeletePartialMatch(l)
	m.conflicts.DeletePartialMatch(l)
	m.probes.DeletePartialMatch(l)
	m.addresses.DeletePartialMatch(l)
	m.contested.DeletePartialMatch(l)
}

// counters returns those of an interface by outcome, looked up once.
func (m *metrics) counters(name string) [outcomes]prometheus.Counter {
	var c [outcomes]prometheus.Counter
	for o := range outcomes {
		c[o] = m.requests.WithLabelValues(name, o.String())
	}
	return c
}
