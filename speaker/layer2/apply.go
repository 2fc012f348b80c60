package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/internal/diff"
	"github.com/heraldlb/herald/speaker/desired"
)

// An addrSet is a set of addresses.
type addrSet = map[netip.Addr]struct{}

// stances say what addresses are to a port.
type stances = map[netip.Addr]stance

// set is Announcer.Set.
func (e *engine) set(want []desired.Layer2Address) error {
	if e.drained != nil {
		return errors.New("set after drain")
	}
	if !e.dirty && slices.EqualFunc(e.want, want, sameAnnouncement) {
		return nil
	}
	e.want = slices.Clone(want)
	slices.SortFunc(e.want, func(a, b desired.Layer2Address) int { return a.Address.Compare(b.Address) })
	return e.apply(e.want)
}

// sameAnnouncement reports whether two addresses are answered alike; which
// Services hold them does not matter here.
func sameAnnouncement(a, b desired.Layer2Address) bool {
	return a.Address == b.Address && slices.Equal(a.Interfaces, b.Interfaces) &&
		a.Cause == b.Cause && a.Fresh == b.Fresh && a.Yield == b.Yield
}

// apply brings the ports to want: first every port answers for what it should
// and what it did, and what is new is announced or probed for; only then the
// rest is yielded or dropped.
func (e *engine) apply(want []desired.Layer2Address) error {
	target := e.target(want)
	change := diff.Of(e.held(), target, portKey.compare, func(a, b stances) bool { return maps.Equal(a, b) })
	now := time.Now()

	var errs []error
	for _, key := range slices.Concat(change.Add, change.Update) {
		errs = append(errs, e.grow(key, target[key], now))
	}
	for _, key := range change.Update {
		if p := e.ports[key]; p != nil {
			errs = append(errs, e.shrink(p, target[key], now))
		}
	}
	for _, key := range change.Remove {
		e.closePort(key)
	}
	e.publish()
	err := errors.Join(errs...)
	e.dirty = err != nil
	return err
}

// target says what addresses should be to the ports, open or not.
func (e *engine) target(want []desired.Layer2Address) map[portKey]stances {
	target := map[portKey]stances{}
	for _, w := range want {
		for _, name := range w.Interfaces {
			key := portKey{name: name, six: w.Address.Is6()}
			s := e.aim(key, w)
			if s == 0 {
				continue
			}
			if target[key] == nil {
				target[key] = stances{}
			}
			target[key][w.Address] = s
		}
	}
	return target
}

// aim says what an address should be to a port. To yield is to go on: it begins
// nothing, nor does it take up again what has been claimed. And what is answered
// for is not fresh any more.
func (e *engine) aim(key portKey, w desired.Layer2Address) stance {
	var now stance
	if p := e.ports[key]; p != nil {
		now = p.at(w.Address)
	}
	switch {
	case w.Yield && now.answers():
		return yielded
	case w.Yield:
		return 0
	case w.Fresh && e.probing && !now.answers():
		return probed
	default:
		return announced
	}
}

// held returns what addresses are to the ports, nothing if the filter or the
// groups of a port may not fit.
func (e *engine) held() map[portKey]stances {
	have := make(map[portKey]stances, len(e.ports))
	for key, p := range e.ports {
		have[key] = p.holding.addrs
		if p.stale {
			have[key] = nil
		}
	}
	return have
}

// grow gives a port, which it opens if need be, target besides what it has, and
// begins with what is new. It yields nothing.
func (e *engine) grow(key portKey, target stances, now time.Time) error {
	p := e.ports[key]
	if p == nil {
		var err error
		if p, err = e.openPort(key); err != nil {
			return fmt.Errorf("interface %s: %w", key.name, err)
		}
	}
	var begun []netip.Addr
	wider := p.stale
	for a, s := range target {
		if was := p.at(a); s != was && s != yielded {
			begun = append(begun, a)
			wider = wider || was == 0
		}
	}
	slices.SortFunc(begun, netip.Addr.Compare)
	err := e.widen(p, target, begun, wider)
	for _, a := range begun {
		e.begin(spot{p, a}, now)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", key.name, err)
	}
	return nil
}

// widen gives the port some addresses of target, for which the filter has to be
// another one if wider is true.
func (e *engine) widen(p *port, target stances, addrs []netip.Addr, wider bool) error {
	if !wider {
		for _, a := range addrs {
			p.stand(a, target[a])
		}
		return nil
	}
	union := maps.Clone(p.holding.addrs)
	for _, a := range addrs {
		union[a] = target[a]
	}
	return p.hold(union)
}

// begin begins with an address that is to be announced, or to be probed for
// before.
func (e *engine) begin(at spot, now time.Time) {
	e.forget(at)
	if at.port.at(at.addr) == announced {
		e.take(at, now)
		return
	}
	e.trials[at] = &trial{}
	e.attempt(at, now)
}

// take announces an address that is answered for from now on.
func (e *engine) take(at spot, now time.Time) {
	e.schedule.start(task{at, announcement}, now)
	if _, ok := e.since[at.addr]; ok {
		return
	}
	e.since[at.addr] = now
	i, ok := slices.BinarySearchFunc(e.want, at.addr, func(w desired.Layer2Address, a netip.Addr) int { return w.Address.Compare(a) })
	if ok {
		e.metrics.takeovers.WithLabelValues(e.want[i].Cause.String()).Inc()
	}
}

// shrink takes from a port what is not in target, and yields what is yielded
// there.
func (e *engine) shrink(p *port, target stances, now time.Time) error {
	stale, dropped := p.stale, false
	for a, s := range p.holding.addrs {
		switch aim := target[a]; {
		case aim == 0:
			e.forget(spot{p, a})
			dropped = true
		case aim == yielded && s != yielded:
			e.yield(spot{p, a}, now)
		}
	}
	if !dropped && p.stale == stale {
		return nil
	}
	rest := maps.Clone(p.holding.addrs)
	maps.DeleteFunc(rest, func(a netip.Addr, _ stance) bool { return target[a] == 0 })
	if err := p.hold(rest); err != nil {
		return fmt.Errorf("interface %s: %w", p.key.name, err)
	}
	return nil
}

// forget drops what is planned and known about an address at a port.
func (e *engine) forget(at spot) {
	e.schedule.forget(at)
	delete(e.disputes, at)
	delete(e.trials, at)
}
