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
	s.Layer2 = slices.Grow([]Layer2Address(nil), len(c.led))
	for _, a := range c.led {
		s.Layer2 = append(s.Layer2, a.led)
	}
	if len(c.destinations.stale) > 0 {
		c.destinations.settle()
		s.BGP = c.destinations.bgp(c.view.forum)
	}
	s.Declined = c.declined()
	return s
}

// declined tells what this node does not announce, and why not.
func (c *Computer) declined() []Declined {
	all := make([]Declined, 0, len(c.state.Declined)*17/16+16)
	for _, svc := range c.order {
		for i := range svc.holdings {
			h := &svc.holdings[i]
			d := Declined{Service: svc.svc.Key, Address: h.address.addr, Protocol: ProtocolLayer2, Reason: h.reason}
			if h.reason == NotElected {
				d.Holder = h.address.holder
			}
			if h.reason != 0 {
				all = append(all, d)
			}
			if h.unsaid != 0 {
				all = append(all, Declined{Service: d.Service, Address: d.Address, Protocol: ProtocolBGP, Reason: h.unsaid})
			}
		}
	}
	if len(all) == 0 {
		return nil // as in the zero State
	}
	return all
}
