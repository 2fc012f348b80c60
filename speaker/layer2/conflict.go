package layer2

import (
	"time"

	"github.com/go-kit/log/level"
)

// How an address is defended (RFC 5227 section 2.4, where a host that has to
// keep its address defends it for ever, but not in a storm).
const (
	// defenceDelay is how long a claim is left alone: a fellow speaker that we
	// do not know as one yet claims the address a moment before we are told to
	// drop it.
	defenceDelay = 250 * time.Millisecond
	// defenceInterval is the DEFEND_INTERVAL of RFC 5227 section 1.1, and
	// defences is how often an address is defended in that time. The RFC says
	// once; we spend some in advance, because one station's last announcement
	// of a burst should not win over our only answer to its first.
	defenceInterval = 10 * time.Second
	defences        = 4
)

// A dispute is about an address on a port that another station claims.
type dispute struct {
	began    time.Time // of the current interval, which may be the next one
	spent    int       // defences in it
	reported time.Time
	seen     time.Time // the last claim, of a fellow speaker too
	by       mac       // who claimed it last, and is no fellow
}

// next returns when the address may be defended after a claim, and counts that.
func (d *dispute) next(now time.Time) time.Time {
	due := now.Add(defenceDelay)
	if now.Sub(d.began) >= defenceInterval {
		d.began, d.spent = now, 0
	}
	if d.spent >= defences {
		due = d.began.Add(defenceInterval)
		d.began, d.spent = due, 0
	}
	d.spent++
	return due
}

// onClaim acts on a frame in which another station claims an address.
func (e *engine) onClaim(c claim, now time.Time) {
	if e.ports[c.port.key] != c.port {
		return // it was on its way while the port was closed
	}
	switch c.port.at(c.addr) {
	case yielded:
		e.release(c.spot)
	case probed:
		if !c.fellow {
			e.concede(c, now)
		}
	case announced:
		e.dispute(c, now)
	}
}

// dispute acts on a claim to an address that we announce.
func (e *engine) dispute(c claim, now time.Time) {
	if !c.fellow && e.onTrial(c.spot, now) {
		e.concede(c, now)
		return
	}
	d := e.disputes[c.spot]
	if d == nil {
		d = &dispute{}
		e.disputes[c.spot] = d
	}
	d.seen = now
	if c.fellow {
		return // one of us two is about to hear of the other
	}
	name := c.port.key.name
	e.metrics.conflicts.WithLabelValues(name).Inc()
	d.by = c.by
	if now.Sub(d.reported) >= defenceInterval {
		d.reported = now
		e.report(Conflict{Address: c.addr, MAC: c.by.String(), Interface: name, At: now})
	}
	if t := (task{c.spot, defence}); e.schedule.tasks[t] == nil {
		e.schedule.start(t, d.next(now))
	}
}

// report tells about a conflict, to whoever listens.
func (e *engine) report(c Conflict) {
	level.Debug(e.logger).Log("msg", "another station claims an address",
		"ip", c.Address, "interface", c.Interface, "peer", c.MAC)
	select {
	case e.conflicts <- c:
	default:
	}
}
