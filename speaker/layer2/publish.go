package layer2

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// How often Led changes by itself while thousands of addresses are claimed, or
// found free, one by one: at once with few addresses, else now and then.
const (
	publishInterval = 100 * time.Millisecond
	publishFew      = 500
)

// outdate takes note that Led or Contested may not be true of an address.
func (e *engine) outdate(addr netip.Addr) { e.outdated[addr] = struct{}{} }

// tell publishes, and puts a token into Changed.
func (e *engine) tell() {
	e.publish()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// catchUp tells of what has changed, unless that was done just now.
func (e *engine) catchUp(now time.Time) {
	if len(e.outdated) > 0 && (len(e.Led()) <= publishFew || now.Sub(e.published) >= publishInterval) {
		e.tell()
	}
}

// publish makes what is outdated true again: Led, Contested, and the metrics.
// What is published is frozen, so it is written anew; all else costs what has
// changed.
func (e *engine) publish() {
	before := e.Led()
	led := make([]Led, 0, len(before)+len(e.outdated))
	for _, addr := range slices.SortedFunc(maps.Keys(e.outdated), netip.Addr.Compare) {
		i, found := slices.BinarySearchFunc(before, addr, func(l Led, a netip.Addr) int { return l.Address.Compare(a) })
		led = append(led, before[:i]...)
		if before = before[i:]; found {
			e.tally(before[0], -1)
			before = before[1:]
		}
		names := e.answering(addr, e.wanted(addr).Interfaces)
		if len(names) == 0 {
			delete(e.since, addr)
			continue
		}
		led = append(led, Led{Address: addr, Interfaces: names, Since: e.since[addr]})
		e.tally(led[len(led)-1], 1)
	}
	led = append(led, before...)
	conflicts := e.standing()
	e.count(conflicts)
	e.led.Store(&led)
	e.contested.Store(&conflicts)
	e.published = time.Now()
	clear(e.outdated)
}

// tally counts an address that is answered for, or is not any more.
func (e *engine) tally(l Led, n int) {
	for _, name := range l.Interfaces {
		if e.answered[name] += n; e.answered[name] == 0 {
			delete(e.answered, name)
		}
	}
}

// answering returns those interfaces on which an address is answered for. It
// may return the same slice.
func (e *engine) answering(addr netip.Addr, names []string) []string {
	silent := func(name string) bool {
		p := e.ports[portKey{name: name, six: addr.Is6()}]
		return p == nil || !p.at(addr).answers()
	}
	if !slices.ContainsFunc(names, silent) {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), silent)
}

// count brings the gauges up to date, for the interfaces that are in use.
func (e *engine) count(conflicts []Conflict) {
	contested := map[string]int{}
	for _, c := range conflicts {
		contested[c.Interface]++
	}
	for key := range e.ports {
		e.metrics.addresses.WithLabelValues(key.name).Set(float64(e.answered[key.name]))
		e.metrics.contested.WithLabelValues(key.name).Set(float64(contested[key.name]))
	}
}

// standing returns the conflicts for which addresses are not answered for, sorted.
func (e *engine) standing() []Conflict {
	out := []Conflict{}
	for at, t := range e.trials {
		if t.by != (mac{}) {
			out = append(out, t.conflict(at))
		}
	}
	slices.SortFunc(out, func(a, b Conflict) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Interface, b.Interface))
	})
	return out
}
