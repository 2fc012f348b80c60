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
	c.take(now)
	c.drop(old)
	if first {
		c.input = make([]*Service, 0, len(input))
	}
	if first || len(old) > 0 || len(now) > 0 {
		c.input = append(c.input[:0], input...)
	}
	return first || len(c.unsettled) > 0
}

// take makes Services part of the Input.
func (c *Computer) take(input []*Service) {
	for _, svc := range input {
		s, ok := c.services[svc.Key]
		if !ok {
			hash := hashName(svc.Key)
			s = &service{svc: svc, hash: hash, bucket: &c.buckets[hash%buckets]}
			c.services[svc.Key] = s
			s.bucket.add(s)
			c.attach(s)
		} else if s.svc != svc {
			c.detach(s)
			s.svc = svc
			c.attach(s)
		}
		s.inInput = true
	}
}

// drop forgets those of the last Input's Services that are not in the new one.
func (c *Computer) drop(input []*Service) {
	for _, svc := range input {
		if s, ok := c.services[svc.Key]; ok && !s.inInput {
			c.detach(s)
			s.bucket.remove(s)
			delete(c.services, svc.Key)
		}
	}
}

// attach gives a service that holds nothing its addresses.
func (c *Computer) attach(s *service) {
	svc := s.svc
	s.serving, s.bucket.stale = serves(svc), true
	addrs := svc.Addresses
	if len(addrs) > 1 {
		addrs = slices.Clone(addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		addrs = slices.Compact(addrs)
	}
	s.holdings = append(s.room[:0], make([]holding, len(addrs))...)
	for i, addr := range addrs {
		a, ok := c.addresses[addr]
		if !ok {
			a = &address{addr: addr, slot: newSlot(addr), networks: c.view.linkMap.around(addr), owner: -1}
			a.holdings = a.room[:0]
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

// serves reports whether an endpoint of a Service serves anywhere.
func serves(svc *Service) bool {
	for _, serving := range svc.Serving {
		if serving {
			return true
		}
	}
	return false
}

// detach takes a service's addresses away.
func (c *Computer) detach(s *service) {
	s.bucket.stale = true
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
