package layer2

import (
	"math/rand/v2"
	"time"

	"github.com/go-kit/log/level"
)

// How other stations that have an address are looked for before it is announced
// for the first time (RFC 5227 section 2.1.1, RFC 4862 section 5.4). The RFCs
// take seconds, for hosts that can wait; a Service cannot. So we begin to answer
// early, and make up for it: who objects within the time that the RFC waits
// still has the address.
const (
	probes        = 3
	probeInterval = 5 * time.Millisecond
	// probation is ANNOUNCE_WAIT, from the last probe on.
	probation = 2 * time.Second
	// An address that another station has is looked for again after
	// searchInterval, and up to searchSpread more, so that two that look for it
	// at the same time do not meet for ever.
	searchInterval = 10 * time.Second
	searchSpread   = time.Second
)

// A trial is the search for other stations that have an address.
type trial struct {
	sent int       // probes in the present attempt; zero when it has not begun
	last time.Time // the last probe
	// by is who has the address, zero when it is nobody that we know of, and
	// since is when that was found out.
	by    mac
	since time.Time
}

// conflict returns what was found.
func (t *trial) conflict(at spot) Conflict {
	return Conflict{Address: at.addr, MAC: t.by.String(), Interface: at.port.key.name, At: t.since}
}

// attempt begins to probe for an address from the start.
func (e *engine) attempt(at spot, due time.Time) {
	e.trials[at].sent = 0
	e.schedule.start(task{at, probe}, due)
}

// search sends the next probe for an address, or takes it when nobody has
// objected to all of them. After an error it begins anew later.
func (e *engine) search(at spot, now time.Time) error {
	t := e.trials[at]
	if t.sent == probes {
		if t.by != (mac{}) {
			level.Info(e.logger).Log("msg", "address is free now", "ip", at.addr, "interface", at.port.key.name)
		}
		t.sent, t.by = 0, mac{}
		at.port.stand(at.addr, announced)
		e.take(at, now)
		e.outdate(at.addr)
		return nil
	}
	if err := at.port.probe(at.addr); err != nil {
		level.Debug(e.logger).Log("msg", "probe not sent", "ip", at.addr, "interface", at.port.key.name, "error", err)
		e.attempt(at, now.Add(sendPause))
		return err
	}
	e.metrics.probes.WithLabelValues(at.port.key.name).Inc()
	t.sent, t.last = t.sent+1, now
	e.schedule.start(task{at, probe}, now.Add(probeInterval))
	return nil
}

// onTrial reports whether an address was probed for so lately that whoever
// claims it now has had it all along.
func (e *engine) onTrial(at spot, now time.Time) bool {
	t := e.trials[at]
	return t != nil && now.Sub(t.last) < probation
}

// concede leaves an address to another station, and probes for it again later.
func (e *engine) concede(c claim, now time.Time) {
	t := e.trials[c.spot]
	if t.by != (mac{}) && t.sent == 0 {
		return // known, and the next attempt has not begun
	}
	e.schedule.forget(c.spot)
	delete(e.disputes, c.spot)
	c.port.stand(c.addr, probed)
	if t.by != c.by {
		level.Warn(e.logger).Log("msg", "another station has an address, which is not announced",
			"ip", c.addr, "interface", c.port.key.name, "peer", c.by)
	}
	t.by, t.since = c.by, now
	e.attempt(c.spot, now.Add(searchInterval+rand.N(searchSpread)))
	e.metrics.conflicts.WithLabelValues(c.port.key.name).Inc()
	e.report(t.conflict(c.spot))
	e.outdate(c.addr)
}

// acquaint looks again at what stations have done that are known as fellow
// speakers now: nothing that they claim is held against them.
func (e *engine) acquaint(now time.Time) {
	fellows := *e.fellows.Load()
	for at, t := range e.trials {
		if _, ok := fellows[t.by]; ok {
			t.by = mac{}
			e.attempt(at, now)
			e.outdate(at.addr)
		}
	}
	for at, d := range e.disputes {
		if _, ok := fellows[d.by]; ok {
			e.schedule.cancel(task{at, defence})
		}
	}
}
