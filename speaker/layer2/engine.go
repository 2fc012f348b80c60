package layer2

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/desired"
)

// The pace of announcements and probes: paceFrames at once, then a pause.
const (
	paceFrames = 100
	pacePause  = 5 * time.Millisecond
)

// An engine is the state of an Announcer. One goroutine owns it: that of Start.
type engine struct {
	*Announcer
	// want is the last desired set by address, and dirty is true if it may not hold: the
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
	disputes map[spot]*dispute
	// trials has the addresses that were probed for since they came.
	trials map[spot]*trial
	claims chan claim
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
	// published is when Led was last brought up to date, and outdated are the
	// addresses for which it may not be. answered counts what it has by
	// interface.
	published time.Time
	outdated  addrSet
	answered  map[string]int
}

func newEngine(a *Announcer) *engine {
	return &engine{
		Announcer: a,
		ports:     map[portKey]*port{},
		links:     map[string]link{},
		own:       map[mac]bool{},
		since:     map[netip.Addr]time.Time{},
		schedule:  newSchedule(),
		disputes:  map[spot]*dispute{},
		trials:    map[spot]*trial{},
		claims:    make(chan claim),
		outdated:  addrSet{},
		answered:  map[string]int{},
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
		e.catchUp(time.Now())
		e.arm(timer)
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.requests.C:
			r.Answer(r.Run(e))
		case ev, ok := <-events:
			if ok {
				e.onLink(ev)
				continue
			}
			unsubscribe()
			events, unsubscribe = e.subscribeAgain()
		case c := <-e.claims:
			e.onClaim(c, time.Now())
		case <-e.acquainted:
			e.acquaint(time.Now())
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

// arm sets the timer to what comes first: something to send, the next attempt
// to hear of links, or Led that is out of date.
func (e *engine) arm(timer *time.Timer) {
	const never = 1 << 62
	wait := time.Duration(never)
	if due, ok := e.schedule.next(); ok {
		wait = max(time.Until(due), time.Until(e.rest), 0)
	}
	if e.deaf {
		wait = min(wait, resubscribe)
	}
	if len(e.outdated) > 0 {
		wait = min(wait, max(time.Until(e.published.Add(publishInterval)), 0))
	}
	if wait == never {
		timer.Stop()
		return
	}
	timer.Reset(wait)
}

// announce sends what is due, and rests when there is more than the pace
// allows. A port whose transmit queue is full has its round ended: the others
// must not wait for it again and again.
func (e *engine) announce(now time.Time) {
	stalled := map[*port]bool{}
	for frames := 0; frames < paceFrames; {
		t, round, ok := e.schedule.pop(now)
		if !ok {
			return
		}
		if !e.links[t.port.key.name].running {
			continue // it begins anew when it is up
		}
		if stalled[t.port] {
			e.postpone(t, now)
			continue
		}
		full := t.kind != probe && round <= len(burst)
		if frames++; full {
			frames++
		}
		if err := e.perform(t, full, now); errors.Is(err, os.ErrDeadlineExceeded) {
			stalled[t.port] = true
			e.postpone(t, now)
		}
	}
	e.rest = now.Add(pacePause)
}

// perform sends something that is due.
func (e *engine) perform(t task, full bool, now time.Time) error {
	if t.kind == probe {
		return e.search(t.spot, now)
	}
	if err := t.port.announce(t.addr, full); err != nil {
		level.Debug(e.logger).Log("msg", "announcement not sent",
			"ip", t.addr, "interface", t.port.key.name, "error", err)
		return err
	}
	e.metrics.unsolicited.WithLabelValues(t.port.key.name).Inc()
	if err := t.port.inform(t.addr); err != nil {
		level.Debug(e.logger).Log("msg", "own kernel not told", "ip", t.addr, "interface", t.port.key.name, "error", err)
	}
	return nil
}

// sendPause is how long a port rests on which nothing could be sent.
const sendPause = 100 * time.Millisecond

// postpone has something that could not be sent begin anew a little later.
func (e *engine) postpone(t task, now time.Time) {
	if t.kind == probe {
		e.attempt(t.spot, now.Add(sendPause))
		return
	}
	e.schedule.start(t, now.Add(sendPause))
}

// close ends all ports, so that their goroutines end.
func (e *engine) close() {
	for key := range e.ports {
		e.closePort(key)
	}
	e.publish()
}
