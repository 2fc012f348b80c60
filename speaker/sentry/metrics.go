package sentry

import "github.com/prometheus/client_golang/prometheus"

// The names of the metrics.
const (
	metricSessionUp     = "herald_sentry_session_up"
	metricSilent        = "herald_sentry_silent"
	metricDetection     = "herald_sentry_detection_seconds"
	metricConfirmations = "herald_sentry_confirmations_total"
)

// metrics are those of one Sentry.
type metrics struct {
	up            *prometheus.GaugeVec
	silent        *prometheus.GaugeVec
	detection     prometheus.Histogram
	confirmations *prometheus.CounterVec
}

// newMetrics registers the metrics; with a nil Registerer nobody sees them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricSessionUp, Help: "Whether the BFD session with a node that this one watches is up.",
		}, []string{"node"}),
		silent: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricSilent, Help: "Whether neither the speaker nor the kernel of a node that this one watches answers.",
		}, []string{"node"}),
		detection: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricDetection, Help: "Time from the last packet of a node to its being silent.",
			Buckets: []float64{.05, .1, .15, .2, .25, .3, .4, .5, .75, 1, 2, 5},
		}),
		confirmations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricConfirmations, Help: "Times that the kernel of a node was asked whether it is there, by outcome.",
		}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.up, m.silent, m.detection, m.confirmations)
	}
	for o := outcomeAnswered; o <= outcomeUnknown; o++ {
		m.confirmations.WithLabelValues(o.String())
	}
	return m
}

// show sets the series of a node.
func (m *metrics) show(node string, s state) {
	m.up.WithLabelValues(node).Set(truth(s == stateUp))
	m.silent.WithLabelValues(node).Set(truth(s == stateSilent))
}

// forget drops the series of a node that is not watched any more.
func (m *metrics) forget(node string) {
	m.up.DeleteLabelValues(node)
	m.silent.DeleteLabelValues(node)
}

// truth is how metrics say yes and no.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
