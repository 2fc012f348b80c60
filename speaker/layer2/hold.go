package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// hold gives the port addresses besides those that it has, or makes them
// something else to it. The filter is replaced first, in one step, so there is
// no moment in which it drops an address that is held before and after.
func (p *port) hold(addrs stances) error {
	var errs []error
	n := len(p.keys)
	for a := range addrs {
		if p.at(a) == 0 {
			p.keys = append(p.keys, p.wire.key(a))
			errs = append(errs, p.need(a))
		}
	}
	if len(p.keys) > n {
		slices.Sort(p.keys)
		errs = append(errs, p.setFilter())
	}
	err := errors.Join(errs...)
	p.stale = p.stale || err != nil
	p.mu.Lock()
	maps.Copy(p.holding.addrs, addrs)
	p.mu.Unlock()
	return err
}

// drop takes addresses that it has from the port.
func (p *port) drop(addrs []netip.Addr) error {
	if len(addrs) == 0 {
		return nil
	}
	stale := p.stale
	err := errors.Join(p.release(addrs...), p.setFilter())
	p.stale = stale || err != nil
	return err
}

// release takes addresses that it has from the port, and leaves the filter as
// it is, which passes too much then.
func (p *port) release(addrs ...netip.Addr) error {
	p.mu.Lock()
	for _, a := range addrs {
		delete(p.holding.addrs, a)
	}
	p.mu.Unlock()
	p.stale = true
	var errs []error
	keys := make([]uint32, 0, len(addrs))
	for _, a := range addrs {
		keys = append(keys, p.wire.key(a))
		errs = append(errs, p.spare(a))
	}
	slices.Sort(keys)
	p.keys = without(p.keys, keys)
	return errors.Join(errs...)
}

// without removes keys from others; both are sorted and may have equal ones.
func without(others, keys []uint32) []uint32 {
	return slices.DeleteFunc(others, func(k uint32) bool {
		if len(keys) == 0 || keys[0] != k {
			return false
		}
		keys = keys[1:]
		return true
	})
}

// refit makes the filter and the groups those of the addresses that are held.
func (p *port) refit() error {
	var errs []error
	for g := range p.groups {
		errs = append(errs, p.join(g))
	}
	for g := range p.joined {
		if p.groups[g] == 0 {
			errs = append(errs, p.leave(g))
		}
	}
	err := errors.Join(append(errs, p.setFilter())...)
	p.stale = err != nil
	return err
}

// setFilter gives the socket a filter for what is held. Kernels limit the memory
// of a filter; one that is too long for this kernel is made shorter.
func (p *port) setFilter() error {
	var err error
	for limit := maxSpans; limit > 0; limit /= 4 {
		program, ferr := p.wire.filter(p.keys, limit)
		if ferr != nil {
			return ferr
		}
		if err = p.conn.SetBPF(program); !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("socket filter for %d addresses: %w", len(p.keys), err)
	}
	return nil
}

// need joins the group of an address that comes, if it has one.
func (p *port) need(addr netip.Addr) error {
	g, ok := p.wire.group(addr)
	if !ok {
		return nil
	}
	p.groups[g]++
	return p.join(g)
}

// spare leaves the group of an address that has gone, if no other one is in it.
func (p *port) spare(addr netip.Addr) error {
	g, ok := p.wire.group(addr)
	if !ok {
		return nil
	}
	if p.groups[g]--; p.groups[g] > 0 {
		return nil
	}
	delete(p.groups, g)
	return p.leave(g)
}

// join joins a group, unless that was done before.
func (p *port) join(group netip.Addr) error {
	if _, ok := p.joined[group]; ok {
		return nil
	}
	err := p.member.join(group)
	if err == nil {
		p.joined[group] = struct{}{}
	}
	return err
}

// leave leaves a group, if it was joined. It is not tried again: what refuses it
// is that the interface has gone.
func (p *port) leave(group netip.Addr) error {
	if _, ok := p.joined[group]; !ok {
		return nil
	}
	delete(p.joined, group)
	return p.member.leave(group)
}
