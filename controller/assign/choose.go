package assign

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/ipam"
)

// chosen serves a request for any addresses of the pools that are for it.
func (b *book) chosen(e *entry, kept []netip.Addr, cause string, now time.Time) outcome {
	fit := slices.DeleteFunc(slices.Clone(kept), func(a netip.Addr) bool { return !b.fromAsked(e, a) })
	missing := slices.DeleteFunc(slices.Clone(e.families), func(f ipam.Family) bool {
		return slices.ContainsFunc(fit, func(a netip.Addr) bool { return ipam.FamilyOf(a) == f })
	})
	if len(missing) == 0 {
		return b.granted(e, fit, cause)
	}
	if refused := b.refusesPool(e); refused != nil {
		return b.short(e, fit, kept, cause, refused)
	}
	tries := [][]ipam.Family{missing}
	if e.contentWithOne(kept) && len(missing) > 1 {
		for _, f := range missing {
			// An address held is given up for another of its family alone.
			if !slices.ContainsFunc(kept, func(a netip.Addr) bool { return ipam.FamilyOf(a) != f }) {
				tries = append(tries, []ipam.Family{f})
			}
		}
	}
	if added := b.take(e, fit, tries, now); len(added) > 0 {
		if len(kept) > len(fit) {
			cause = fmt.Sprintf("the Service asks for pool %q", e.pool)
		}
		return b.supplied(e, append(fit, added...), cause)
	}
	return b.short(e, fit, kept, cause, b.shortage(e, missing))
}

// supplied is the outcome when addresses were taken: all, or for a Service
// that can do with one family, that one.
func (b *book) supplied(e *entry, addrs []netip.Addr, cause string) outcome {
	addrs = inOrder(addrs, e.usable)
	if len(addrs) == len(e.families) {
		return b.granted(e, addrs, cause)
	}
	return b.partly(e, addrs, cause, b.shortage(e, b.lacking(e, addrs)))
}

// short is the outcome when nothing more is to be had.
func (b *book) short(e *entry, fit, kept []netip.Addr, cause string, why *refusal) outcome {
	if len(fit) > 0 && e.contentWithOne(kept) {
		return b.partly(e, fit, cause, why)
	}
	return stay(kept, cause, why)
}

// contentWithOne reports whether a Service can do with one family. One that
// prefers two and has both, if not from the pool that it asks for now, gives
// neither up but for both.
func (e *entry) contentWithOne(kept []netip.Addr) bool {
	return !e.whole && len(kept) < len(e.families)
}

// partly is the outcome when a Service that prefers two families has one.
func (b *book) partly(e *entry, addrs []netip.Addr, cause string, why *refusal) outcome {
	return outcome{
		addresses: addrs, reason: PartlyAssigned, cause: cause,
		message: b.describe(e, addrs) + "; " + why.message,
	}
}

// lacking returns the families asked for that addrs has no address of.
func (b *book) lacking(e *entry, addrs []netip.Addr) []ipam.Family {
	return slices.DeleteFunc(slices.Clone(e.families), func(f ipam.Family) bool {
		return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return ipam.FamilyOf(a) == f })
	})
}

// fromAsked reports whether an address held comes from the pool asked for, or
// may: where it is not known where it came from, as after a start, it did unless
// the status says that the wish is not fulfilled.
func (b *book) fromAsked(e *entry, a netip.Addr) bool {
	home := b.alloc.PoolOf(a)
	if home == "" {
		home = e.homes[a]
	}
	switch {
	case e.pool == "":
		return true
	case home != "":
		return home == e.pool
	default:
		return slices.Contains([]string{"", Assigned.String(), PartlyAssigned.String()}, e.toldReason)
	}
}

// take allocates the families of the first try that can be had beside the
// addresses that fit, and returns what it got. What else was held is released
// on success only.
func (b *book) take(e *entry, fit []netip.Addr, tries [][]ipam.Family, now time.Time) []netip.Addr {
	for _, families := range tries {
		got, ok := b.takeAll(e, fit, families, now)
		if ok {
			return got
		}
	}
	return nil
}

// takeAll allocates one address of each family, or none. The new ones are
// found under a name of their own, because the allocator would give up what
// fits if its pool is none of the candidates any longer.
func (b *book) takeAll(e *entry, fit []netip.Addr, families []ipam.Family, now time.Time) ([]netip.Addr, bool) {
	name := e.key + " (choosing)"
	req := ipam.Request{Owner: name, Sharing: e.sharing, Families: families, Pool: e.pool, Serves: b.serves(e)}
	if len(fit) > 0 {
		req.Near = b.alloc.PoolOf(fit[0])
	}
	got, err := b.alloc.Allocate(req, now)
	if err != nil {
		return nil, false
	}
	b.alloc.Release(name, now)
	var added []netip.Addr
	for _, g := range got {
		added = append(added, g.Address)
	}
	all := inOrder(append(slices.Clone(fit), added...), e.usable)
	if err := b.alloc.Claim(e.key, all, e.sharing, now); err != nil {
		panic("assign: claim what was found free: " + err.Error())
	}
	e.claimed = e.sharing
	return added, true
}

// serves returns whether a pool is for a request that asks for none by name.
func (b *book) serves(e *entry) func(pool string) bool {
	s := b.subject(e)
	return func(pool string) bool {
		p := b.byName[pool]
		return p.AutoAssign && p.Allows(s)
	}
}

// candidates returns the names of the pools that may serve a request, in the
// order to try them, or why there is none.
func (b *book) candidates(e *entry) ([]string, *refusal) {
	if e.pool != "" {
		return []string{e.pool}, b.refusesPool(e)
	}
	s := b.subject(e)
	var names []string
	var not why
	for _, p := range b.pools {
		switch {
		case !p.AutoAssign:
			not.add("pool %q: serves only who asks for it (autoAssign is false)", p.Name)
		case !p.Allows(s):
			not.add("pool %q: its serviceAllocation excludes the Service", p.Name)
		default:
			names = append(names, p.Name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	if not.n == 0 {
		return nil, &refusal{NoMatchingPool, "there is no accepted IPAddressPool"}
	}
	return nil, &refusal{NoMatchingPool, "no pool is for the Service: " + not.String()}
}

// refusesPool says why the pool that a request names cannot serve it; nil when
// it may, or no pool is named.
func (b *book) refusesPool(e *entry) *refusal {
	p := b.byName[e.pool]
	switch {
	case e.pool == "":
		return nil
	case p != nil && !p.Allows(b.subject(e)):
		return &refusal{PoolNotAllowed, fmt.Sprintf("pool %q: its serviceAllocation excludes the Service", e.pool)}
	case p != nil:
		return nil
	case b.rejected[e.pool]:
		return &refusal{UnknownPool, fmt.Sprintf("IPAddressPool %q is not accepted; its status says why", e.pool)}
	default:
		return &refusal{UnknownPool, fmt.Sprintf("there is no IPAddressPool %s", quote(e.pool))}
	}
}

// shortage says why none of the pools serves the families: of those that no pool
// has, if there are such, and how full pools are is beside the point then.
func (b *book) shortage(e *entry, families []ipam.Family) *refusal {
	pools, refused := b.candidates(e)
	if refused != nil {
		return refused
	}
	var unknown, exhausted why
	for _, f := range families {
		lacking, full := b.shortageOf(f, pools)
		if len(lacking)+len(full) < len(pools) {
			continue // some pool has addresses of this family left
		}
		not := &exhausted
		if len(full) == 0 {
			not = &unknown
		}
		for _, p := range full {
			u, rest := b.alloc.Usage(p, f), ""
			if !u.Resting().IsZero() {
				rest = " or rest after it"
			}
			not.add("pool %q: all %v %v addresses are in use%s", p, u.Total, f, rest)
		}
		for _, p := range lacking {
			not.add("pool %q: has no %v addresses", p, f)
		}
	}
	reason, text := PoolExhausted, exhausted.String()
	if unknown.n > 0 {
		reason, text = FamilyUnavailable, unknown.String()
	}
	if e.pool == "" {
		if skipped := b.skipped(e, len(b.pools)-len(pools)); skipped != "" {
			text += "; " + skipped
		}
	}
	return &refusal{reason, text}
}

// shortageOf sorts the pools that cannot serve a family by why not: they have
// no addresses of it, or none left.
func (b *book) shortageOf(f ipam.Family, pools []string) (lacking, full []string) {
	for _, p := range pools {
		u := b.alloc.Usage(p, f)
		switch {
		case u.Total.IsZero():
			lacking = append(lacking, p)
		case u.Available.IsZero():
			full = append(full, p)
		}
	}
	return lacking, full
}

// skipped names the pools that were not candidates.
func (b *book) skipped(e *entry, n int) string {
	if n == 0 {
		return ""
	}
	s := b.subject(e)
	var names []string
	for _, p := range b.pools {
		if len(names) < min(n, maxTold) && (!p.AutoAssign || !p.Allows(s)) {
			names = append(names, fmt.Sprintf("%q", p.Name))
		}
	}
	if n > maxTold {
		names = append(names, fmt.Sprintf("%d more", n-maxTold))
	}
	return "not for the Service: " + strings.Join(names, ", ")
}
