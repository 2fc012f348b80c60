package layer2

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/desired"
)

// The pace of announcements: paceBurst at once, then a pause.
const (
	paceBurst = 50
	pacePause = 5 * time.Millisecond
)

// An engine is the state of an Announcer. One goroutine owns it: that of Start.
type engine struct {
	*Announcer
	// want is the last desired set, and dirty is true if it may not hold: the
	// last attempt had errors, or an interface has gone.
	want  []desired.Layer2Address
	dirty bool
	// ports are open. Each answers for at least one address, except between
	// two steps of apply.
	ports map[portKey]*port
	// links are the host's interfaces by name, as events told, and own has
	// their hardware addresses; own is frozen and replaced.
	links map[string]link
	own   map[mac]bool
	// since has the time from which an address is answered.
	since    map[netip.Addr]time.Time
	schedule *schedule
	disputes map[task]*dispute
	claims   chan claim
	// drained is not nil once Drain has begun; it is closed when no address is
	// left.
	drained chan struct{}
	// readers are the goroutines of the ports; ctx ends with Start.
	readers sync.WaitGroup
	spawn   func(p *port)
	// rest is the time before which nothing more is announced.
	rest time.Time
	// deaf is true while there are no link events.
	deaf bool
	// published is when Led was last brought up to date.
	published time.Time
}

func newEngine(a *Announcer) *engine {
	return &engine{
		Announcer: a,
		ports:     map[portKey]*port{},
		links:     map[string]link{},
		own:       map[mac]bool{},
		since:     map[netip.Addr]time.Time{},
		schedule:  newSchedule(),
		disputes:  map[task]*dispute{},
		claims:    make(chan claim),
	}
}

// run owns the state until ctx ends.
func (e *engine) run(ctx context.Context) error {
	events, unsubscribe, err := e.network.subscribe()
	if err != nil {
		return err
	}
	e.spawn = func(p *port) { e.readers.Go(func() { p.serve(ctx) }) }
	defer e.readers.Wait()
	defer e.close()
	defer func() { unsubscribe() }()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		e.arm(timer)
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.requests:
			r.done <- r.run(e)
		case ev, ok := <-events:
			if ok {
				e.onLink(ev)
				continue
			}
			unsubscribe()
			events, unsubscribe = e.subscribeAgain()
		case c := <-e.claims:
			e.onClaim(c, time.Now())
		case <-timer.C:
			if e.deaf {
				events, unsubscribe = e.subscribeAgain()
			}
			e.announce(time.Now())
		}
	}
}

// subscribeAgain subscribes to link events after events were lost. The new
// subscription tells about every interface that there is; those that have gone
// are looked for here. If it is refused, run tries again within a second.
func (e *engine) subscribeAgain() (<-chan linkEvent, func()) {
	events, unsubscribe, err := e.network.subscribe()
	e.deaf = err != nil
	if err != nil {
		level.Warn(e.logger).Log("msg", "link events lost", "error", err)
		return nil, func() {}
	}
	for name, l := range maps.Clone(e.links) {
		if _, err := e.network.link(name); errors.Is(err, errNoInterface) {
			e.onLink(linkEvent{link: l, gone: true})
		}
	}
	return events, unsubscribe
}

// arm sets the timer to the next announcement, or to the next attempt to hear
// of links.
func (e *engine) arm(timer *time.Timer) {
	due, ok := e.schedule.next()
	wait := max(time.Until(due), time.Until(e.rest), 0)
	switch {
	case e.deaf && (!ok || wait > resubscribe):
		timer.Reset(resubscribe)
	case ok:
		timer.Reset(wait)
	default:
		timer.Stop()
	}
}

// announce sends what is due, and rests when there is more than the pace
// allows.
func (e *engine) announce(now time.Time) {
	for range paceBurst {
		t, round, ok := e.schedule.pop(now)
		if !ok {
			return
		}
		if !e.links[t.port.key.name].running {
			continue // it announces anew when it is up
		}
		full := round <= len(burst)
		if err := t.port.announce(t.addr, full); err != nil {
			level.Debug(e.logger).Log("msg", "announcement not sent",
				"ip", t.addr, "interface", t.port.key.name, "error", err)
			continue
		}
		e.metrics.unsolicited.WithLabelValues(t.port.key.name).Inc()
	}
	e.rest = now.Add(pacePause)
}

// drain begins a graceful end; what it returns is closed when no address is
// left. Who has claimed an address just now is taken for the successor.
func (e *engine) drain(now time.Time) <-chan struct{} {
	if e.drained == nil {
		e.drained = make(chan struct{})
		e.schedule = newSchedule()
		for t, d := range e.disputes {
			if now.Sub(d.seen) < recentClaim {
				t.port.release(t.addr)
			}
		}
		e.publish()
		e.checkDrained()
	}
	return e.drained
}

// left returns how many addresses the ports answer for, each on its interface.
func (e *engine) left() int {
	n := 0
	for _, p := range e.ports {
		n += len(p.holding.addrs)
	}
	return n
}

// checkDrained closes drained when no address is left.
func (e *engine) checkDrained() {
	if e.left() > 0 {
		return
	}
	e.publish()
	select {
	case <-e.drained:
	default:
		close(e.drained)
	}
}

// close ends all ports, so that their goroutines end.
func (e *engine) close() {
	for key := range e.ports {
		e.closePort(key)
	}
	clear(e.since)
	e.publish()
}
