package desired

import "slices"

// assemble builds the State from what is remembered. Unless more changed, only
// its claims are not those of the last one.
func (c *Computer) assemble(changed bool) State {
	s := c.state
	s.Claims = nil
	for _, a := range c.open {
		if a.made {
			s.Claims = append(s.Claims, a.claim)
		}
	}
	if c.givenBack != nil {
		s.Claims = append(s.Claims, c.givenBack...)
		slices.SortFunc(s.Claims, func(a, b Claim) int { return a.Address.Compare(b.Address) })
	}
	if !changed {
		return s
	}
	if c.relit {
		c.relit = false
		s.Layer2 = slices.Grow([]Layer2Address(nil), len(c.led))
		for _, a := range c.led {
			s.Layer2 = append(s.Layer2, a.led)
		}
	}
	if len(c.destinations.stale) > 0 {
		c.destinations.settle()
		s.BGP = c.destinations.bgp(c.view.forum)
	}
	s.Declined = c.declined()
	return s
}

// declined tells what this node does not announce, and why not.
func (c *Computer) declined() Declines {
	parts := slices.Clone(c.state.Declined)
	if parts == nil {
		parts = make(Declines, buckets)
	}
	some := false
	for i := range c.buckets {
		if b := &c.buckets[i]; b.stale {
			parts[i], b.stale = b.declined(), false
		}
		some = some || parts[i] != nil
	}
	if !some {
		return nil // as in the zero State
	}
	return parts
}
