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
	if e.outdated && (e.size <= publishFew || now.Sub(e.published) >= publishInterval) {
		e.tell()
	}
}

// publish makes the state of the ports visible to Led, Contested and the
// metrics.
func (e *engine) publish() {
	led := make([]Led, 0, len(e.want))
	for _, w := range e.want {
		if names := e.answering(w.Address, w.Interfaces); len(names) > 0 {
			led = append(led, Led{Address: w.Address, Interfaces: names, Since: e.since[w.Address]})
		}
	}
	if len(e.since) > len(led) {
		maps.DeleteFunc(e.since, func(a netip.Addr, _ time.Time) bool { return !leads(led, a) })
	}
	conflicts := e.standing()
	e.count(led, conflicts)
	e.led.Store(&led)
	e.contested.Store(&conflicts)
	e.published, e.size, e.outdated = time.Now(), len(led), false
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

// leads reports whether an address is in a sorted list.
func leads(led []Led, addr netip.Addr) bool {
	_, ok := slices.BinarySearchFunc(led, addr, func(l Led, a netip.Addr) int { return l.Address.Compare(a) })
	return ok
}

// count brings the gauges up to date, for the interfaces that are in use.
func (e *engine) count(led []Led, conflicts []Conflict) {
	answered, contested := map[string]int{}, map[string]int{}
	for _, l := range led {
		for _, name := range l.Interfaces {
			answered[name]++
		}
	}
	for _, c := range conflicts {
		contested[c.Interface]++
	}
	for key := range e.ports {
		e.metrics.addresses.WithLabelValues(key.name).Set(float64(answered[key.name]))
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
