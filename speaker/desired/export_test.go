package desired

import (
	"maps"
	"reflect"
)

// Aside returns a Computer that has the memory of this one, and nothing of what
// only makes it fast.
func (c *Computer) Aside() *Computer {
	m := c.memory
	m.held = maps.Clone(m.held)
	return &Computer{memory: m}
}

// Remembers reports whether two Computers have the same memory.
func (c *Computer) Remembers(other *Computer) bool {
	a, b := c.memory, other.memory
	same := maps.Equal(a.held, b.held)
	a.held, b.held = nil, nil
	return same && reflect.DeepEqual(a, b)
}
