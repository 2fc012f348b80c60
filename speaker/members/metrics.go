package members

import "github.com/prometheus/client_golang/prometheus"

// The names of the metrics.
const (
	metricAlive      = "herald_members_alive"
	metricMissing    = "herald_members_missing"
	metricJoins      = "herald_members_joins_total"
	outcomeSucceeded = "success"
	outcomeFailed    = "error"
)

// metrics are those of one List.
type metrics struct {
	alive   prometheus.Gauge
	missing prometheus.Gauge
	joins   *prometheus.CounterVec
}

// newMetrics registers the metrics; with a nil Registerer nobody sees them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		alive: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricAlive, Help: "Speakers that are alive, as this one sees it, and itself.",
		}),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricMissing, Help: "Speakers that should be there and are not alive, as this one sees it.",
		}),
		joins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricJoins, Help: "Exchanges of state with a speaker that was missing and answered, by outcome.",
		}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.alive, m.missing, m.joins)
	}
	for _, outcome := range []string{outcomeSucceeded, outcomeFailed} {
		m.joins.WithLabelValues(outcome)
	}
	return m
}
