package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/desired"
)

// The names of the metrics.
const (
	metricReconcile  = "herald_reconcile_duration_seconds"
	metricConfig     = "herald_config_valid"
	metricServices   = "herald_speaker_services"
	metricAnnounced  = "herald_speaker_announced_addresses"
	metricHeld       = "herald_speaker_held_addresses"
	metricDeclined   = "herald_speaker_declined_addresses"
	metricErrors     = "herald_speaker_errors_total"
	metricStatus     = "herald_speaker_status_writes_total"
	outcomeSucceeded = "success"
	outcomeFailed    = "error"
)

// The steps of a pass that can fail, as values of the label "step".
const (
	stepRead     = "read"
	stepConfig   = "config"
	stepKey      = "key"
	stepAnnounce = "announce"
	stepBGP      = "bgp"
	stepLinks    = "links"
)

// metrics are those of a World and its publisher.
type metrics struct {
	reconcile   prometheus.Histogram
	configValid prometheus.Gauge
	services    prometheus.Gauge
	announced   *prometheus.GaugeVec
	held        prometheus.Gauge
	declined    *prometheus.GaugeVec
	errors      *prometheus.CounterVec
	status      *prometheus.CounterVec
}

// newMetrics makes the metrics and registers them.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		reconcile: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricReconcile, Help: "Time that one pass over the cluster took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}),
		configValid: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricConfig, Help: "1 when every object of the configuration is accepted, 0 otherwise.",
		}),
		services: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricServices, Help: "Services with addresses that speakers are to announce.",
		}),
		announced: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricAnnounced, Help: "Addresses that this node announces.",
		}, []string{"protocol"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricHeld, Help: "Addresses that this node has won and holds back until it has met the other speakers.",
		}),
		declined: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricDeclined, Help: "Addresses of Services that this node does not announce, by reason.",
		}, []string{"protocol", "reason"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricErrors, Help: "Failures in passes over the cluster, by the step that failed.",
		}, []string{"step"}),
		status: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricStatus, Help: "Comparisons of this node's SpeakerStatus with the API, writes included, by outcome.",
		}, []string{"outcome"}),
	}
	r.MustRegister(m.reconcile, m.configValid, m.services, m.announced, m.held, m.declined, m.errors, m.status)
	for _, step := range []string{stepRead, stepConfig, stepKey, stepAnnounce, stepBGP, stepLinks} {
		m.errors.WithLabelValues(step)
	}
	return m
}

// pass takes note of what a pass decided and how long it took.
func (m *metrics) pass(took time.Duration, services int, state *desired.State, announced int) {
	m.reconcile.Observe(took.Seconds())
	m.services.Set(float64(services))
	m.announced.WithLabelValues(desired.ProtocolLayer2.String()).Set(float64(announced))
	m.held.Set(float64(len(state.Layer2) - announced))
	type kind struct {
		protocol desired.Protocol
		reason   desired.Reason
	}
	counts := map[kind]int{}
	for d := range state.Declined.All() {
		counts[kind{d.Protocol, d.Reason}]++
	}
	m.declined.Reset()
	for k, n := range counts {
		m.declined.WithLabelValues(k.protocol.String(), k.reason.String()).Set(float64(n))
	}
}

// config takes note of whether every object is accepted.
func (m *metrics) config(valid bool) {
	m.configValid.Set(0)
	if valid {
		m.configValid.Set(1)
	}
}

// statusWrite counts an attempt to write the status.
func (m *metrics) statusWrite(err error) {
	outcome := outcomeSucceeded
	if err != nil {
		outcome = outcomeFailed
	}
	m.status.WithLabelValues(outcome).Inc()
}
