package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/internal/diff"
	"github.com/heraldlb/herald/speaker/desired"
)

// An addrSet is a set of addresses.
type addrSet = map[netip.Addr]struct{}

// set is Announcer.Set.
func (e *engine) set(want []desired.Layer2Address) error {
	if e.drained != nil {
		return errors.New("set after drain")
	}
	if !e.dirty && slices.EqualFunc(e.want, want, sameAnnouncement) {
		return nil
	}
	e.want = slices.Clone(want)
	return e.apply(want)
}

// sameAnnouncement reports whether two addresses are answered alike; which
// Services hold them does not matter here.
func sameAnnouncement(a, b desired.Layer2Address) bool {
	return a.Address == b.Address && slices.Equal(a.Interfaces, b.Interfaces)
}

// apply brings the ports to want: first every port answers for what it should
// and what it did, and what is new is announced; only then the rest is dropped.
func (e *engine) apply(want []desired.Layer2Address) error {
	target := perPort(want)
	change := diff.Of(e.held(), target, portKey.compare, func(a, b addrSet) bool { return maps.Equal(a, b) })
	now := time.Now()

	var errs []error
	for _, key := range slices.Concat(change.Add, change.Update) {
		errs = append(errs, e.grow(key, target[key], now))
	}
	for _, key := range change.Update {
		if p := e.ports[key]; p != nil && len(p.holding.addrs) > len(target[key]) {
			errs = append(errs, e.shrink(p, target[key]))
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

// perPort sorts addresses by where they are answered.
func perPort(want []desired.Layer2Address) map[portKey]addrSet {
	target := map[portKey]addrSet{}
	for _, w := range want {
		for _, name := range w.Interfaces {
			key := portKey{name: name, six: w.Address.Is6()}
			if target[key] == nil {
				target[key] = addrSet{}
			}
			target[key][w.Address] = struct{}{}
		}
	}
	return target
}

// held returns what the ports answer for, nothing if a port may not do so in
// full.
func (e *engine) held() map[portKey]addrSet {
	have := make(map[portKey]addrSet, len(e.ports))
	for key, p := range e.ports {
		have[key] = p.holding.addrs
		if p.stale {
			have[key] = nil
		}
	}
	return have
}

// grow makes a port, which it opens if need be, answer for addrs besides what
// it does, and announces what is new.
func (e *engine) grow(key portKey, addrs addrSet, now time.Time) error {
	p := e.ports[key]
	if p == nil {
		var err error
		if p, err = e.openPort(key); err != nil {
			return fmt.Errorf("interface %s: %w", key.name, err)
		}
	}
	union, fresh := maps.Clone(p.holding.addrs), []netip.Addr{}
	for a := range addrs {
		if !p.holds(a) {
			union[a] = struct{}{}
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 && !p.stale {
		return nil
	}
	slices.SortFunc(fresh, netip.Addr.Compare)
	err := p.hold(union)
	for _, a := range fresh {
		e.schedule.start(task{port: p, addr: a}, now)
		if _, ok := e.since[a]; !ok {
			e.since[a] = now
		}
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", key.name, err)
	}
	return nil
}

// shrink makes a port answer for addrs alone, which are some of its own.
func (e *engine) shrink(p *port, addrs addrSet) error {
	for a := range p.holding.addrs {
		if _, ok := addrs[a]; !ok {
			e.forget(p, a)
		}
	}
	if err := p.hold(maps.Clone(addrs)); err != nil {
		return fmt.Errorf("interface %s: %w", p.key.name, err)
	}
	return nil
}

// forget drops what is planned and known about an address at a port.
func (e *engine) forget(p *port, addr netip.Addr) {
	for _, defence := range []bool{false, true} {
		e.schedule.cancel(task{port: p, addr: addr, defence: defence})
	}
	delete(e.disputes, task{port: p, addr: addr})
}

// openPort opens a port that answers for nothing yet.
func (e *engine) openPort(key portKey) (*port, error) {
	l, err := e.network.link(key.name)
	if err != nil {
		return nil, err
	}
	if !l.mac.station() {
		return nil, errors.New("no Ethernet address")
	}
	c, err := e.network.open(l, key.wire().etherType())
	if err != nil {
		return nil, err
	}
	p := &port{
		key: key, link: l, wire: key.wire(), conn: c,
		member: e.network.groups(l), joined: addrSet{},
		stop: make(chan struct{}), counters: e.metrics.counters(key.name), claims: e.claims,
		holding: holding{self: l.mac, own: e.own, addrs: addrSet{}},
	}
	e.links[key.name] = l
	e.ports[key] = p
	e.spawn(p)
	level.Info(e.logger).Log("msg", "answering on interface", "interface", key.name, "protocol", key.protocol())
	return p, nil
}

// closePort closes a port and drops all that is planned for it.
func (e *engine) closePort(key portKey) {
	p := e.ports[key]
	for a := range p.holding.addrs {
		e.forget(p, a)
	}
	if err := p.close(); err != nil {
		level.Debug(e.logger).Log("msg", "socket not closed", "interface", key.name, "error", err)
	}
	delete(e.ports, key)
	if e.ports[portKey{key.name, !key.six}] == nil {
		e.metrics.forget(key.name)
	}
	level.Info(e.logger).Log("msg", "not answering on interface any more",
		"interface", key.name, "protocol", key.protocol())
}

// publish makes the state of the ports visible to Led and the metrics.
func (e *engine) publish() {
	at, count := map[netip.Addr][]string{}, map[string]int{}
	for key, p := range e.ports {
		count[key.name] += len(p.holding.addrs)
		for a := range p.holding.addrs {
			at[a] = append(at[a], key.name)
		}
	}
	led := make([]Led, 0, len(at))
	for a, names := range at {
		slices.Sort(names)
		led = append(led, Led{Address: a, Interfaces: names, Since: e.since[a]})
	}
	slices.SortFunc(led, func(a, b Led) int { return a.Address.Compare(b.Address) })
	maps.DeleteFunc(e.since, func(a netip.Addr, _ time.Time) bool { return at[a] == nil })
	for name, n := range count {
		e.metrics.addresses.WithLabelValues(name).Set(float64(n))
	}
	e.led.Store(&led)
	e.published = time.Now()
}
