package bfd

import "github.com/prometheus/client_golang/prometheus"

// Names of the metrics.
const (
	metricUp          = "herald_bfd_session_up"
	metricDetection   = "herald_bfd_detection_seconds"
	metricPackets     = "herald_bfd_packets_total"
	metricTransitions = "herald_bfd_transitions_total"
	metricDowns       = "herald_bfd_downs_total"
	metricDiscarded   = "herald_bfd_discarded_packets_total"
	metricLate        = "herald_bfd_late_seconds"
)

// What becomes of packets that are counted by peer.
const (
	outcomeReceived = "received"
	outcomeSent     = "sent"
	outcomeFailed   = "error"
)

// metrics are those of one Manager.
type metrics struct {
	up          *prometheus.GaugeVec
	detection   *prometheus.GaugeVec
	packets     *prometheus.CounterVec
	transitions *prometheus.CounterVec
	downs       *prometheus.CounterVec
	discarded   [outcomes]prometheus.Counter
	late        prometheus.Histogram
}

// counters are the metrics of one session, looked up once.
type counters struct {
	up, detection          prometheus.Gauge
	received, sent, failed prometheus.Counter
}

// newMetrics registers the metrics; with a nil Registerer nobody sees them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricUp, Help: "Whether the BFD session with a peer is up.",
		}, []string{"peer"}),
		detection: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricDetection, Help: "How long a peer may be silent at present, as negotiated; 0 before it was heard.",
		}, []string{"peer"}),
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricPackets, Help: "BFD packets of the sessions with a peer.",
		}, []string{"peer", "outcome"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricTransitions, Help: "Changes of the state of BFD sessions, by the new state.",
		}, []string{"peer", "state"}),
		downs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricDowns, Help: "BFD sessions that went down, by reason.",
		}, []string{"peer", "reason"}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricLate, Help: "How late BFD's own timers ran.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	discarded := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: metricDiscarded, Help: "BFD packets received that belong to no session or break its rules, by reason.",
	}, []string{"reason"})
	for o := outcomeMalformed; o < outcomes; o++ {
		m.discarded[o] = discarded.WithLabelValues(o.String())
	}
	if r != nil {
		r.MustRegister(m.up, m.detection, m.packets, m.transitions, m.downs, m.late, discarded)
	}
	return m
}

// counters returns those of a peer.
func (m *metrics) counters(name string) counters {
	return counters{
		up:        m.up.WithLabelValues(name),
		detection: m.detection.WithLabelValues(name),
		received:  m.packets.WithLabelValues(name, outcomeReceived),
		sent:      m.packets.WithLabelValues(name, outcomeSent),
		failed:    m.packets.WithLabelValues(name, outcomeFailed),
	}
}

// transition counts that the state of s has changed.
func (m *metrics) transition(s *session) {
	name := s.wish.label()
	s.counters.up.Set(float64(bit(s.state == Up)))
	m.transitions.WithLabelValues(name, s.state.String()).Inc()
	if s.state == Down {
		m.downs.WithLabelValues(name, s.diagnostic.String()).Inc()
	}
}

// forget drops the series of a peer.
func (m *metrics) forget(name string) {
	l := prometheus.Labels{"peer": name}
	m.up.DeletePartialMatch(l)
	m.detection.DeletePartialMatch(l)
	m.packets.DeletePartialMatch(l)
	m.transitions.DeletePartialMatch(l)
	m.downs.DeletePartialMatch(l)
}
