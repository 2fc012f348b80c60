package members

import "github.com/prometheus/client_golang/prometheus"

// The names of the metrics.
const (
	metricAlive      = "herald_members_alive"
	metricMissing    = "herald_members_missing"
	metricJoins      = "herald_members_joins_total"
	metricSilent     = "herald_members_silent"
	metricClaims     = "herald_members_claims"
	metricMessages   = "herald_members_messages_total"
	metricSent       = "herald_members_sent_total"
	outcomeSucceeded = "success"
	outcomeFailed    = "error"
	outcomeNew       = "new"
	outcomeKnown     = "known"
)

// metrics are those of one List.
type metrics struct {
	alive   prometheus.Gauge
	missing prometheus.Gauge
	joins   *prometheus.CounterVec

	silent, claims prometheus.Gauge
	messages, sent *prometheus.CounterVec
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
		silent: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricSilent, Help: "Members that do not count as alive because a member finds them silent.",
		}),
		claims: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricClaims, Help: "Addresses of which it is known to which node they belong.",
		}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricMessages, Help: "Messages of other speakers about addresses and nodes, by whether they held something new.",
		}, []string{"outcome"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricSent, Help: "Packets sent to members at once, besides gossip, by outcome.",
		}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.alive, m.missing, m.joins, m.silent, m.claims, m.messages, m.sent)
	}
	for _, outcome := range []string{outcomeSucceeded, outcomeFailed} {
		m.joins.WithLabelValues(outcome)
		m.sent.WithLabelValues(outcome)
	}
	for _, outcome := range []string{outcomeNew, outcomeKnown, outcomeFailed} {
		m.messages.WithLabelValues(outcome)
	}
	return m
}
