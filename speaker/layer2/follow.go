package layer2

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/go-kit/log/level"
)

// onLink follows an interface: one that has gone or is another one by the same
// name loses its ports, one that is wanted gets them, and one that is up again
// or has another hardware address announces anew.
func (e *engine) onLink(ev linkEvent) {
	name := ev.link.name
	before, known := e.links[name]
	if ev.gone {
		delete(e.links, name)
	} else {
		maps.DeleteFunc(e.links, func(_ string, l link) bool { return l.index == ev.link.index }) // its name before
		e.links[name] = ev.link
	}
	e.knowMACs()
	for key, p := range e.ports {
		switch {
		case p.link.index == ev.link.index && key.name != name, // renamed
			key.name == name && (ev.gone || p.link.index != ev.link.index):
			e.lose(key)
		case key.name == name:
			e.adopt(p, ev.link, known && !before.running)
		}
	}
	if !ev.gone && e.drained == nil {
		e.regain(name)
	}
}

// knowMACs tells every port which hardware addresses this host has.
func (e *engine) knowMACs() {
	own := make(map[mac]bool, len(e.links))
	for _, l := range e.links {
		own[l.mac] = true
	}
	if maps.Equal(own, e.own) {
		return
	}
	e.own = own
	for _, p := range e.ports {
		p.know(p.link.mac, own)
	}
}

// lose closes a port whose interface has gone.
func (e *engine) lose(key portKey) {
	level.Warn(e.logger).Log("msg", "interface has gone", "interface", key.name, "protocol", key.protocol())
	e.closePort(key)
	e.dirty = true
	e.tell()
	if e.drained != nil {
		e.checkDrained()
	}
}

// adopt makes a port follow its interface; wasDown is true if it had no
// carrier before.
func (e *engine) adopt(p *port, l link, wasDown bool) {
	changed := l.mac != p.link.mac && l.mac.station()
	if changed {
		p.link.mac = l.mac
		p.know(l.mac, e.own)
		level.Info(e.logger).Log("msg", "interface has another hardware address", "interface", l.name)
	}
	if !l.running || e.drained != nil || (!changed && !wasDown) {
		return
	}
	now := time.Now()
	for a, s := range p.holding.addrs {
		switch at := (spot{p, a}); s {
		case announced:
			e.schedule.start(task{at, announcement}, now)
		case probed:
			e.attempt(at, now)
		case yielded:
		}
	}
}

// regain opens the ports of an interface that is wanted and has none, which is
// one that has just appeared.
func (e *engine) regain(name string) {
	for _, six := range []bool{false, true} {
		key := portKey{name: name, six: six}
		if e.ports[key] != nil {
			continue
		}
		begin := stances{}
		for _, w := range e.want {
			if w.Address.Is6() == six && slices.Contains(w.Interfaces, name) && e.aim(key, w) != 0 {
				begin[w.Address] = e.aim(key, w)
				e.outdate(w.Address)
			}
		}
		if len(begin) == 0 {
			continue
		}
		if err := e.grow(key, begin, time.Now()); err != nil {
			level.Warn(e.logger).Log("msg", "interface not usable", "interface", name, "error", err)
			e.dirty = true
		}
		e.tell()
	}
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
		groups: map[netip.Addr]int{}, member: e.network.groups(l), joined: addrSet{}, own: e.network.loopback(l),
		stop: make(chan struct{}), counters: e.metrics.counters(key.name), claims: e.claims, fellows: &e.fellows,
		holding: holding{self: l.mac, own: e.own, addrs: stances{}},
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
		e.forget(spot{p, a})
		e.outdate(a)
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
