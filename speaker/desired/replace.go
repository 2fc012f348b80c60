package desired

import (
	"net/netip"
	"slices"
)

// replace makes the Services those of a new Input, and reports whether that
// changed anything. The addresses to be decided about are in unsettled.
func (c *Computer) replace(input []*Service) bool {
	old, now := c.input, input
	first := old == nil
	// Most Inputs differ from the last in a few places: pass over what is the
	// same at both ends.
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	for _, svc := range old {
		c.services[svc.Key].inInput = false
	}
	added := c.take(now)
	removed := c.drop(old)
	if removed || len(added) > 0 {
		c.order = merge(c.order, added, func(s *service) bool { return s.inInput }, byKey)
	}
	if first {
		c.input = make([]*Service, 0, len(input))
	}
	if first || len(old) > 0 || len(now) > 0 {
		c.input = append(c.input[:0], input...)
	}
	return first || len(c.unsettled) > 0
}

// take makes Services part of the Input, and returns those with a new key.
func (c *Computer) take(input []*Service) (added []*service) {
	for _, svc := range input {
		s, ok := c.services[svc.Key]
		if !ok {
			s = &service{}
			c.services[svc.Key] = s
			added = append(added, s)
		}
		if s.svc != svc {
			c.detach(s)
			c.attach(s, svc)
		}
		s.inInput = true
	}
	return added
}

// drop forgets those of the last Input's Services that are not in the new one,
// and reports whether there were any.
func (c *Computer) drop(input []*Service) (dropped bool) {
	for _, svc := range input {
		if s, ok := c.services[svc.Key]; ok && !s.inInput {
			c.detach(s)
			delete(c.services, svc.Key)
			dropped = true
		}
	}
	return dropped
}

// attach makes a service that holds nothing stand for svc.
func (c *Computer) attach(s *service, svc *Service) {
	s.svc, s.serving = svc, false
	for _, serving := range svc.Serving {
		s.serving = s.serving || serving
	}
	addrs := slices.Clone(svc.Addresses)
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	s.holdings = make([]holding, len(addrs))
	for i, addr := range addrs {
		a, ok := c.addresses[addr]
		if !ok {
			a = &address{addr: addr, slot: newSlot(addr), networks: c.view.linkMap.around(addr), owner: -1}
			c.addresses[addr] = a
		}
		h := &s.holdings[i]
		*h = holding{service: s, address: a, cover: c.view.cover(addr, svc.Labels)}
		if !c.view.forum.silent() {
			h.audience = c.view.audience(addr, svc.Labels)
			h.unsaid = h.audience.reason(s, c.view.node)
		}
		at, _ := slices.BinarySearchFunc(a.holdings, h, byStrictness)
		a.holdings = slices.Insert(a.holdings, at, h)
		c.unsettle(a)
		c.bid(h, 1)
	}
}

// detach takes a service's addresses away.
func (c *Computer) detach(s *service) {
	for i := range s.holdings {
		h := &s.holdings[i]
		a := h.address
		at := slices.Index(a.holdings, h)
		a.holdings = slices.Delete(a.holdings, at, at+1)
		c.unsettle(a)
		c.bid(h, -1)
	}
	s.holdings = nil
}

// bid adds n to how often the prefixes of an address are asked for.
func (c *Computer) bid(h *holding, n int) {
	if h.audience == nil || h.unsaid != 0 {
		return
	}
	for _, o := range h.audience.offers {
		c.destinations.add(h.audience.prefixOf(o, h.address.addr), o, holder{service: h.service.svc.Key, addresses: n})
	}
}

// unsettle has the election of an address held again.
func (c *Computer) unsettle(a *address) {
	if !a.unsettled {
		a.unsettled = true
		c.unsettled = append(c.unsettled, a)
	}
}
