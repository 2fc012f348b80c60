package bgp

import "github.com/prometheus/client_golang/prometheus"

// Names of the metrics.
const (
	metricUp          = "herald_bgp_session_up"
	metricRoutes      = "herald_bgp_routes"
	metricTransitions = "herald_bgp_session_transitions_total"
	metricSent        = "herald_bgp_route_changes_total"
)

// The states that transitions are counted by.
const (
	stateUp   = "up"
	stateDown = "down"
)

// What is done with routes.
const (
	changeAnnounced = "announced"
	changeWithdrawn = "withdrawn"
)

// metrics are those of one Announcer.
type metrics struct {
	up, routes        *prometheus.GaugeVec
	transitions, sent *prometheus.CounterVec
}

// newMetrics registers the metrics; with a nil Registerer nobody sees them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricUp, Help: "Whether the BGP session with a peer is established.",
		}, []string{"peer"}),
		routes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricRoutes, Help: "Prefixes that a peer has from this node, or will have as soon as its session is established.",
		}, []string{"peer"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricTransitions, Help: "BGP sessions that came up or went down.",
		}, []string{"peer", "state"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricSent, Help: "Prefixes that were announced to a peer, anew or with other attributes, or withdrawn.",
		}, []string{"peer", "change"}),
	}
	if r != nil {
		r.MustRegister(m.up, m.routes, m.transitions, m.sent)
	}
	return m
}

// begin makes the series of a peer.
func (m *metrics) begin(peer string) {
	m.up.WithLabelValues(peer).Set(0)
	m.routes.WithLabelValues(peer).Set(0)
	for _, state := range []string{stateUp, stateDown} {
		m.transitions.WithLabelValues(peer, state)
	}
	for _, change := range []string{changeAnnounced, changeWithdrawn} {
		m.sent.WithLabelValues(peer, change)
	}
}

// transition notes that a session came up or went down.
func (m *metrics) transition(peer string, up bool) {
	state, value := stateDown, 0.0
	if up {
		state, value = stateUp, 1
	}
	m.up.WithLabelValues(peer).Set(value)
	m.transitions.WithLabelValues(peer, state).Inc()
}

// forget drops the series of a peer.
func (m *metrics) forget(peer string) {
	l := prometheus.Labels{"peer": peer}
	m.up.DeletePartialMatch(l)
	m.routes.DeletePartialMatch(l)
	m.transitions.DeletePartialMatch(l)
	m.sent.DeletePartialMatch(l)
}
