package desired

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// shards is into how many parts Claims are cut: With copies the parts that it
// changes, and Changed passes over those that are the same.
const shards = 256

// Claims are the best claim known of each address: an immutable map. Nil is
// empty. All methods may be called from any goroutine.
type Claims struct {
	// shards have the claims of each part, sorted by address. Neither they nor
	// what they point to is written once With has returned.
	shards [shards][]Claim
	len    int
}

// shardOf returns in which part an address is.
func shardOf(addr netip.Addr) int {
	b := addr.As16()
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	return int(mix(high+low) % shards)
}

// find returns the place of an address in a shard, and whether it is there.
func find(shard []Claim, addr netip.Addr) (int, bool) {
	return slices.BinarySearchFunc(shard, addr, func(c Claim, addr netip.Addr) int { return c.Address.Compare(addr) })
}

// Of returns the claim of an address, the zero Claim when there is none.
func (c *Claims) Of(addr netip.Addr) Claim {
	if c == nil {
		return Claim{}
	}
	shard := c.shards[shardOf(addr)]
	if at, ok := find(shard, addr); ok {
		return shard[at]
	}
	return Claim{}
}

// Len returns how many claims there are.
func (c *Claims) Len() int {
	if c == nil {
		return 0
	}
	return c.len
}

// With returns what is known when these claims have been heard too: of each
// address the greater claim stays. It returns c itself when nothing is new.
func (c *Claims) With(claims ...Claim) *Claims {
	var (
		next  *Claims
		owned [shards]bool // parts that are next's alone
	)
	for _, claim := range claims {
		if next == nil && claim.Compare(c.Of(claim.Address)) <= 0 {
			continue
		}
		if next == nil {
			next = c.clone()
		}
		i := shardOf(claim.Address)
		shard := &next.shards[i]
		at, found := find(*shard, claim.Address)
		if found && claim.Compare((*shard)[at]) <= 0 || !found && claim.Compare(Claim{}) <= 0 {
			continue
		}
		if !owned[i] {
			*shard, owned[i] = append(make([]Claim, 0, len(*shard)+1), *shard...), true
		}
		if found {
			(*shard)[at] = claim
			continue
		}
		*shard = slices.Insert(*shard, at, claim)
		next.len++
	}
	if next == nil {
		return c
	}
	return next
}

// Keep returns the claims of the addresses for which keep returns true, and c
// itself when these are all.
func (c *Claims) Keep(keep func(netip.Addr) bool) *Claims {
	if c == nil {
		return nil
	}
	var next *Claims
	drops := func(claim Claim) bool { return !keep(claim.Address) }
	for i, shard := range c.shards {
		if !slices.ContainsFunc(shard, drops) {
			continue
		}
		if next == nil {
			next = c.clone()
		}
		kept := slices.DeleteFunc(slices.Clone(shard), drops)
		next.shards[i], next.len = kept, next.len-len(shard)+len(kept)
	}
	if next == nil {
		return c
	}
	return next
}

// clone returns a Claims that shares its parts with c.
func (c *Claims) clone() *Claims {
	if c == nil {
		return &Claims{}
	}
	next := *c
	return &next
}

// All yields every claim, in no particular order.
func (c *Claims) All() iter.Seq[Claim] {
	return func(yield func(Claim) bool) {
		if c == nil {
			return
		}
		for _, shard := range c.shards {
			for _, claim := range shard {
				if !yield(claim) {
					return
				}
			}
		}
	}
}

// Changed yields the addresses of which c says something else than old, those
// that only one of them has included, in no particular order. It is the faster
// the more one of them was derived from the other.
func (c *Claims) Changed(old *Claims) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if c == old {
			return
		}
		now, then := c.clone(), old.clone()
		for i := range shards {
			if !changed(now.shards[i], then.shards[i], yield) {
				return
			}
		}
	}
}

// changed yields the addresses in which two parts differ, and reports whether
// to go on.
func changed(now, then []Claim, yield func(netip.Addr) bool) bool {
	if len(now) == len(then) && (len(now) == 0 || &now[0] == &then[0]) {
		return true // the same memory
	}
	for len(now) > 0 || len(then) > 0 {
		var side int
		switch {
		case len(then) == 0:
			side = -1
		case len(now) == 0:
			side = 1
		default:
			side = now[0].Address.Compare(then[0].Address)
		}
		var addr netip.Addr
		differs := true
		switch {
		case side < 0:
			addr, now = now[0].Address, now[1:]
		case side > 0:
			addr, then = then[0].Address, then[1:]
		default:
			addr, differs = now[0].Address, now[0] != then[0]
			now, then = now[1:], then[1:]
		}
		if differs && !yield(addr) {
			return false
		}
	}
	return true
}
