package layer2

import "github.com/prometheus/client_golang/prometheus"

// Names of the metrics.
const (
	metricRequests    = "herald_layer2_requests_total"
	metricUnsolicited = "herald_layer2_unsolicited_total"
	metricConflicts   = "herald_layer2_conflicts_total"
	metricAddresses   = "herald_layer2_addresses"
)

// metrics are those of one Announcer.
type metrics struct {
	requests    *prometheus.CounterVec
	unsolicited *prometheus.CounterVec
	conflicts   *prometheus.CounterVec
	addresses   *prometheus.GaugeVec
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
			Help: "Frames in which another station claimed an address that this node announces.",
		}, []string{"interface"}),
		addresses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricAddresses,
			Help: "Addresses that this node answers for.",
		}, []string{"interface"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.unsolicited, m.conflicts, m.addresses)
	}
	return m
}

// forget drops the series of an interface that is not used any more.
func (m *metrics) forget(name string) {
	l := prometheus.Labels{"interface": name}
	m.requests.DeletePartialMatch(l)
	m.unsolicited.DeletePartialMatch(l)
	m.conflicts.DeletePartialMatch(l)
	m.addresses.DeletePartialMatch(l)
}

// counters returns those of an interface by outcome, looked up once.
func (m *metrics) counters(name string) [outcomes]prometheus.Counter {
	var c [outcomes]prometheus.Counter
	for o := range outcomes {
		c[o] = m.requests.WithLabelValues(name, o.String())
	}
	return c
}
