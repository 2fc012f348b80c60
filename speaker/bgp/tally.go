package bgp

import "net/netip"

// A tally is a map by prefix that knows how many of either family it has.
type tally[V any] struct {
	of        map[netip.Prefix]V
	four, six int
}

// len returns how many prefixes there are.
func (t *tally[V]) len() int { return t.four + t.six }

// put sets the value of a prefix.
func (t *tally[V]) put(p netip.Prefix, v V) {
	if t.of == nil {
		t.of = map[netip.Prefix]V{}
	}
	if _, ok := t.of[p]; !ok {
		t.count(p, 1)
	}
	t.of[p] = v
}

// drop removes a prefix.
func (t *tally[V]) drop(p netip.Prefix) {
	if _, ok := t.of[p]; ok {
		t.count(p, -1)
		delete(t.of, p)
	}
}

func (t *tally[V]) count(p netip.Prefix, n int) {
	if p.Addr().Is4() {
		t.four += n
	} else {
		t.six += n
	}
}
