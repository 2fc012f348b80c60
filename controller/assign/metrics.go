package assign

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/ipam"
)

// The names of the metrics.
const (
	metricConfigValid = "herald_controller_config_valid"
	metricAddresses   = "herald_controller_ipam_addresses"
	metricServices    = "herald_controller_services"
	metricLeader      = "herald_controller_leader"
	metricReconcile   = "herald_controller_reconcile_duration_seconds"
)

// metrics are what the package counts.
type metrics struct {
	valid     prometheus.Gauge
	reconcile *prometheus.HistogramVec
}

// newMetrics registers the metrics, but for those that a collector reads.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		valid: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricConfigValid,
			Help: "1 when every one of Herald's objects is accepted, 0 when one is not.",
		}),
		reconcile: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    metricReconcile,
			Help:    "How long it took to look at a Service, at the configuration, a namespace or a status, writes included.",
			Buckets: []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"kind"}),
	}
	m.valid.Set(1)
	r.MustRegister(m.valid, m.reconcile)
	return m
}

// observe counts one look at something.
func (m *metrics) observe(kind string, d time.Duration) {
	m.reconcile.WithLabelValues(kind).Observe(d.Seconds())
}

// judged tells whether the configuration is in order.
func (m *metrics) judged(verdicts []config.Verdict) {
	for _, v := range verdicts {
		if !v.Accepted {
			m.valid.Set(0)
			return
		}
	}
	m.valid.Set(1)
}

// A collector reads the book of the term, so that no series outlives its pool.
type collector struct {
	a                           *assigner
	addresses, services, leader *prometheus.Desc
}

var _ prometheus.Collector = (*collector)(nil)

// newCollector returns a collector of what an assigner knows.
func newCollector(a *assigner) *collector {
	return &collector{
		a: a,
		addresses: prometheus.NewDesc(metricAddresses,
			"Addresses of a pool: all that it gives out (total), held by Services (assigned), resting after use (resting), and free (available). Only the leader tells.",
			[]string{"pool", "family", "state"}, nil),
		services: prometheus.NewDesc(metricServices,
			"Services by what became of their wish for addresses. Only the leader tells.", []string{"reason"}, nil),
		leader: prometheus.NewDesc(metricLeader, "1 while this process is the one that assigns addresses.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.addresses
	ch <- c.services
	ch <- c.leader
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	t := c.a.enter()
	if t == nil {
		ch <- prometheus.MustNewConstMetric(c.leader, prometheus.GaugeValue, 0)
		return
	}
	defer t.busy.Done()
	ch <- prometheus.MustNewConstMetric(c.leader, prometheus.GaugeValue, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	byReason := map[Reason]int{}
	for _, e := range t.book.entries {
		byReason[e.outcome.reason]++
	}
	for _, r := range reasons {
		ch <- prometheus.MustNewConstMetric(c.services, prometheus.GaugeValue, float64(byReason[r]), r.String())
	}
	for i := range t.pools {
		for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
			c.collectPool(ch, t.pools[i].Name, f, t.book.alloc.Usage(t.pools[i].Name, f))
		}
	}
}

// collectPool tells of one family of one pool, if the pool has any of it.
func (c *collector) collectPool(ch chan<- prometheus.Metric, pool string, f ipam.Family, u ipam.Usage) {
	if u.Total.IsZero() {
		return
	}
	for state, n := range map[string]float64{
		"total": u.Total.Float64(), "assigned": u.Assigned.Float64(),
		"resting": u.Resting().Float64(), "available": u.Available.Float64(),
	} {
		ch <- prometheus.MustNewConstMetric(c.addresses, prometheus.GaugeValue, n, pool, f.String(), state)
	}
}
