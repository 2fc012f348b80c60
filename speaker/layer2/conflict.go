package layer2

import (
	"time"

	"github.com/go-kit/log/level"
)

// How an address is defended (RFC 5227 section 2.4, where a host that has to
// keep its address defends it for ever, but not in a storm).
const (
	// defenceDelay is how long a claim is left alone: a fellow speaker that has
	// been elected claims the address a moment before we are told to drop it.
	defenceDelay = 250 * time.Millisecond
	// defenceInterval is the DEFEND_INTERVAL of RFC 5227 section 1.1, and
	// defences is how often an address is defended in that time. The RFC says
	// once; we spend some in advance, because one station's last announcement
	// of a burst should not win over our only answer to its first.
	defenceInterval = 10 * time.Second
	defences        = 4
)

// recentClaim is how old a claim may be when Drain begins to count as that of
// the successor, who may be faster than we are.
const recentClaim = time.Second

// publishInterval is how often Led changes while thousands of addresses are
// claimed one by one at the end.
const publishInterval = 100 * time.Millisecond

// A dispute is about an address on a port that another station claims.
type dispute struct {
	began    time.Time // of the current interval, which may be the next one
	spent    int       // defences in it
	reported time.Time
	seen     time.Time // the last claim
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
	if e.ports[c.port.key] != c.port || !c.port.holds(c.addr) {
		return // it was on its way while the address was dropped
	}
	name := c.port.key.name
	e.metrics.conflicts.WithLabelValues(name).Inc()
	if e.drained != nil {
		c.port.release(c.addr)
		if now.Sub(e.published) >= publishInterval {
			e.publish()
		}
		e.checkDrained()
		return
	}
	t := task{port: c.port, addr: c.addr}
	d := e.disputes[t]
	if d == nil {
		d = &dispute{}
		e.disputes[t] = d
	}
	d.seen = now
	if now.Sub(d.reported) >= defenceInterval {
		d.reported = now
		e.report(c, now)
	}
	t.defence = true
	if e.schedule.tasks[t] == nil {
		e.schedule.once(t, d.next(now))
	}
}

// report tells about a conflict, to whoever listens.
func (e *engine) report(c claim, now time.Time) {
	level.Debug(e.logger).Log("msg", "another station claims an address",
		"ip", c.addr, "interface", c.port.key.name, "peer", c.by)
	select {
	case e.conflicts <- Conflict{Address: c.addr, MAC: c.by.String(), Interface: c.port.key.name, At: now}:
	default:
	}
}
