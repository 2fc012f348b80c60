package assign

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/ipam"
)

// decide finds the addresses for a request, and claims them. The rules:
//
// An address held stays as long as a pool has it, unless the request asks for
// another one that can be had. A wish that cannot be fulfilled costs nothing
// that is held. Only who breaks the sharing rules, or holds what no pool has,
// loses an address.
func (b *book) decide(e *entry, now time.Time) outcome {
	kept, cause := b.kept(e, now)
	if why := cmp.Or(e.ending(), e.invalid); why != nil {
		kept, _ = b.renew(e, kept, e.claimed, now)
		return stay(kept, cause, why)
	}
	kept, conflict := b.renew(e, kept, e.sharing, now)
	if conflict != nil {
		cause = conflict.message
	}
	if len(e.addresses) > 0 {
		return b.named(e, kept, cause, now)
	}
	out := b.chosen(e, kept, cause, now)
	if conflict != nil && len(out.addresses) == 0 {
		out.message = conflict.message + "; " + out.message
	}
	return out
}

// kept returns the addresses held that may stay, in the order of the families,
// and why others may not.
func (b *book) kept(e *entry, now time.Time) (kept []netip.Addr, cause string) {
	var homeless []netip.Addr
	for _, f := range e.usable {
		for _, h := range b.alloc.Holdings(e.key) {
			if ipam.FamilyOf(h.Address) != f {
				continue
			}
			if h.Pool == "" && b.graceOver(e, h.Address, now) {
				homeless = append(homeless, h.Address)
				continue
			}
			kept = append(kept, h.Address)
			break // one of each family
		}
	}
	if len(homeless) > 0 {
		cause = fmt.Sprintf("no accepted pool has %s any longer", list(homeless))
	}
	return kept, cause
}

// graceOver notes that an address held is in no pool, and reports whether its
// Grace is over.
func (b *book) graceOver(e *entry, a netip.Addr, now time.Time) bool {
	since, known := e.orphaned[a]
	switch {
	case !known || b.protected(e, a, now): // its time begins when the protection ends
		since = now
	case !now.Before(since.Add(Grace)):
		since = time.Time{}
	}
	e.orphaned[a] = since
	return since.IsZero()
}

// protected reports whether an address in no pool may come from one that
// exists but is not accepted: a mistake in a pool must not cost its Services
// their addresses. After a start it is not known where such an address came
// from; any pool that is not accepted protects it then, but only for Doubt.
func (b *book) protected(e *entry, a netip.Addr, now time.Time) bool {
	if home, known := e.homes[a]; known {
		return b.rejected[home]
	}
	return len(b.rejected) > 0 && now.Before(b.began.Add(Doubt))
}

// renew claims what is held on the given terms, and returns what of kept may
// be held on them. Whoever changes its terms so that it may not share an
// address any longer is the one to leave it.
func (b *book) renew(e *entry, kept []netip.Addr, terms ipam.Sharing, now time.Time) ([]netip.Addr, *refusal) {
	held := slices.Clone(kept)
	for _, h := range b.alloc.Holdings(e.key) {
		// What may not stay, but is in no pool, is nobody else's either. It is
		// claimed on, so that the Service gets it back with its pool.
		if h.Pool == "" && !slices.Contains(held, h.Address) {
			held = append(held, h.Address)
		}
	}
	var refused *refusal
	for {
		err := b.alloc.Claim(e.key, held, terms, now)
		if err == nil {
			break
		}
		conflict, ok := errors.AsType[*ipam.ConflictError](err)
		if !ok {
			panic("assign: claim what is held: " + err.Error())
		}
		refused = inUse(conflict)
		held = slices.DeleteFunc(held, func(a netip.Addr) bool { return a == conflict.Address })
	}
	e.claimed = terms
	return slices.DeleteFunc(slices.Clone(kept), func(a netip.Addr) bool { return !slices.Contains(held, a) }), refused
}

// stay keeps what is held while a wish is refused.
func stay(kept []netip.Addr, cause string, why *refusal) outcome {
	out := outcome{addresses: kept, reason: why.reason, message: why.message, cause: cause}
	if len(kept) > 0 {
		out.message += "; the Service keeps " + list(kept)
	}
	return out
}

// named serves a request for certain addresses.
func (b *book) named(e *entry, kept []netip.Addr, cause string, now time.Time) outcome {
	want := inOrder(e.addresses, e.usable)
	if slices.Equal(want, kept) {
		return b.granted(e, want, cause)
	}
	for _, a := range want {
		if refused := b.mayName(e, a, kept); refused != nil {
			return stay(kept, cause, refused)
		}
	}
	err := b.alloc.Claim(e.key, want, e.sharing, now)
	if err == nil {
		e.claimed = e.sharing
		return b.granted(e, want, "the Service asks for "+list(want))
	}
	if conflict, ok := errors.AsType[*ipam.ConflictError](err); ok {
		return stay(kept, cause, inUse(conflict))
	}
	return stay(kept, cause, &refusal{AddressNotInPool, err.Error()})
}

// mayName says why a request may not have an address that it names.
func (b *book) mayName(e *entry, a netip.Addr, kept []netip.Addr) *refusal {
	home := b.alloc.PoolOf(a)
	switch {
	case home == "" && slices.Contains(kept, a):
		return nil
	case home == "":
		return &refusal{AddressNotInPool, fmt.Sprintf("no accepted IPAddressPool gives out %s", a)}
	case e.pool != "" && e.pool != home:
		return &refusal{AddressNotInPool, fmt.Sprintf("%s is in pool %q, but the Service asks for pool %q", a, home, e.pool)}
	}
	if p := b.byName[home]; p != nil && !p.Allows(b.subject(e)) {
		return &refusal{PoolNotAllowed, fmt.Sprintf("%s is in pool %q, whose serviceAllocation excludes the Service", a, home)}
	}
	return nil
}

// inUse refuses an address that another holds.
func inUse(c *ipam.ConflictError) *refusal {
	return &refusal{AddressInUse, fmt.Sprintf("%s is held by Service %s, and cannot be shared: %s", c.Address, c.Owner, c.Rule)}
}

// granted is the outcome when every wish is fulfilled.
func (b *book) granted(e *entry, addrs []netip.Addr, cause string) outcome {
	return outcome{addresses: addrs, reason: Assigned, message: b.describe(e, addrs), cause: cause}
}

// subject is what the selectors of pools look at.
func (b *book) subject(e *entry) config.Subject {
	return config.Subject{Namespace: e.namespace, NamespaceLabels: b.namespaces[e.namespace], Labels: e.labels}
}

// inOrder sorts addresses by the order of their families.
func inOrder(addrs []netip.Addr, order []ipam.Family) []netip.Addr {
	out := slices.Clone(addrs)
	slices.SortStableFunc(out, func(x, y netip.Addr) int {
		return slices.Index(order, ipam.FamilyOf(x)) - slices.Index(order, ipam.FamilyOf(y))
	})
	return out
}
