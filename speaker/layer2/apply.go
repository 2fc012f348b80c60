package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// An addrSet is a set of addresses.
type addrSet = map[netip.Addr]struct{}

// stances say what addresses are to a port.
type stances = map[netip.Addr]stance

// set is Announcer.Set. It costs what has changed, but for one look at each
// address.
func (e *engine) set(want []desired.Layer2Address) error {
	if e.drained != nil {
		return errors.New("set after drain")
	}
	if !slices.IsSortedFunc(want, compareAddress) {
		want = slices.SortedFunc(slices.Values(want), compareAddress)
	}
	touched := changed(e.want, want)
	if len(touched) == 0 && !e.dirty {
		return nil
	}
	e.want = slices.Clone(want)
	if e.dirty {
		touched = e.known()
	}
	return e.apply(touched)
}

func compareAddress(a, b desired.Layer2Address) int { return a.Address.Compare(b.Address) }

// changed returns the addresses that are not announced alike in two sorted
// sets, sorted.
func changed(before, after []desired.Layer2Address) []netip.Addr {
	var out []netip.Addr
	for len(before) > 0 && len(after) > 0 {
		b, a := &before[0], &after[0]
		order := b.Address.Compare(a.Address)
		switch {
		case order < 0:
			out = append(out, b.Address)
		case order > 0 || !sameAnnouncement(b, a):
			out = append(out, a.Address)
		}
		if order <= 0 {
			before = before[1:]
		}
		if order >= 0 {
			after = after[1:]
		}
	}
	for _, rest := range [][]desired.Layer2Address{before, after} {
		for i := range rest {
			out = append(out, rest[i].Address)
		}
	}
	return out
}

// sameAnnouncement reports whether two addresses are answered alike; which
// Services hold them does not matter here.
func sameAnnouncement(a, b *desired.Layer2Address) bool {
	return a.Address == b.Address && slices.Equal(a.Interfaces, b.Interfaces) &&
		a.Cause == b.Cause && a.Fresh == b.Fresh && a.Yield == b.Yield
}

// known returns every address that is wanted or held, sorted.
func (e *engine) known() []netip.Addr {
	all := addrSet{}
	for i := range e.want {
		all[e.want[i].Address] = struct{}{}
	}
	for _, p := range e.ports {
		for a := range p.holding.addrs {
			all[a] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(all), netip.Addr.Compare)
}

// wanted returns what is wanted of an address; of one that is not wanted it
// names no interface.
func (e *engine) wanted(addr netip.Addr) desired.Layer2Address {
	i, ok := slices.BinarySearchFunc(e.want, addr, func(w desired.Layer2Address, a netip.Addr) int { return w.Address.Compare(a) })
	if !ok {
		return desired.Layer2Address{Address: addr}
	}
	return e.want[i]
}

// apply brings the ports to what is wanted of some addresses, sorted: first
// every port answers for what it should and what it did, and what is new is
// announced or probed for; only then the rest is yielded or dropped.
func (e *engine) apply(touched []netip.Addr) error {
	now := time.Now()
	var errs []error
	for _, p := range e.ports {
		if p.stale {
			errs = append(errs, p.refit())
		}
	}
	for _, addr := range touched {
		e.outdate(addr)
	}
	edits := e.plan(touched)
	keys := slices.SortedFunc(maps.Keys(edits), portKey.compare)
	for _, key := range keys {
		if len(edits[key].begin) > 0 {
			errs = append(errs, e.grow(key, edits[key].begin, now))
		}
	}
	for _, key := range keys {
		if p := e.ports[key]; p != nil {
			errs = append(errs, e.shrink(p, edits[key], now))
		}
	}
	for key, p := range e.ports {
		if len(p.holding.addrs) == 0 {
			e.closePort(key)
		}
	}
	e.publish()
	err := errors.Join(errs...)
	e.dirty = err != nil
	return err
}

// An edit is what is to change at a port: what it begins to announce or to probe
// for, what it goes on to answer for until it is claimed, and what it drops.
type edit struct {
	begin       stances
	yield, drop []netip.Addr
}

// plan says what is to change at the ports, open or not.
func (e *engine) plan(touched []netip.Addr) map[portKey]*edit {
	edits := map[portKey]*edit{}
	for _, addr := range touched {
		w := e.wanted(addr)
		for _, name := range w.Interfaces {
			key := portKey{name: name, six: addr.Is6()}
			e.compare(edits, key, addr, e.aim(key, w))
		}
		for key := range e.ports {
			if key.six == addr.Is6() && !slices.Contains(w.Interfaces, key.name) {
				e.compare(edits, key, addr, 0)
			}
		}
	}
	return edits
}

// compare adds to edits what is to change about an address at a port.
func (e *engine) compare(edits map[portKey]*edit, key portKey, addr netip.Addr, aim stance) {
	was := e.stance(key, addr)
	if was == aim {
		return
	}
	d := edits[key]
	if d == nil {
		d = &edit{begin: stances{}}
		edits[key] = d
	}
	switch aim {
	case announced, probed:
		d.begin[addr] = aim
	case yielded:
		d.yield = append(d.yield, addr)
	default:
		d.drop = append(d.drop, addr)
	}
}

// stance returns what an address is to a port, open or not.
func (e *engine) stance(key portKey, addr netip.Addr) stance {
	if p := e.ports[key]; p != nil {
		return p.at(addr)
	}
	return 0
}

// aim says what an address should be to a port. To yield is to go on: it begins
// nothing, nor does it take up again what has been claimed. And what is answered
// for is not fresh any more.
func (e *engine) aim(key portKey, w desired.Layer2Address) stance {
	now := e.stance(key, w.Address)
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

// grow gives a port, which it opens if need be, addresses besides those that it
// has, and begins with them.
func (e *engine) grow(key portKey, begin stances, now time.Time) error {
	p := e.ports[key]
	if p == nil {
		var err error
		if p, err = e.openPort(key); err != nil {
			return fmt.Errorf("interface %s: %w", key.name, err)
		}
	}
	err := p.hold(begin)
	for _, a := range slices.SortedFunc(maps.Keys(begin), netip.Addr.Compare) {
		e.begin(spot{p, a}, now)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", key.name, err)
	}
	return nil
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
	if w := e.wanted(at.addr); len(w.Interfaces) > 0 {
		e.metrics.takeovers.WithLabelValues(w.Cause.String()).Inc()
	}
}

// shrink has a port yield and drop what it is to.
func (e *engine) shrink(p *port, d *edit, now time.Time) error {
	for _, a := range d.yield {
		e.yield(spot{p, a}, now)
	}
	for _, a := range d.drop {
		e.forget(spot{p, a})
	}
	if err := p.drop(d.drop); err != nil {
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
