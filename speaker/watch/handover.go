package watch

import (
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// A handover goes on answering for the addresses that this node has given to
// others, until those have taken them: make before break. It is pure. The zero
// handover has given nothing away.
type handover struct {
	given map[netip.Addr]gift
}

// A gift is an address that was given away: how it was answered for, and how
// long it is at most.
type gift struct {
	address desired.Layer2Address
	until   time.Time
}

// give takes note of claims by which this node appoints others. Only what was
// announced until now is to be answered for any longer.
func (h *handover) give(now time.Time, self string, claims []desired.Claim, announced []desired.Layer2Address) {
	for _, c := range claims {
		if c.Node == self {
			continue
		}
		i, found := slices.BinarySearchFunc(announced, c.Address, compareAddress)
		if !found {
			continue
		}
		if h.given == nil {
			h.given = map[netip.Addr]gift{}
		}
		a := announced[i]
		a.Yield = true
		h.given[c.Address] = gift{address: a, until: now.Add(drainTimeout)}
	}
}

// pass returns what is to be answered for: what is allowed, and what has been
// given away and not taken yet, as far as the links for it are up. answered has
// what is answered for now, sorted; what is not there any more has been taken.
// Next is when a gift is over; zero for never.
func (h *handover) pass(
	now time.Time, allowed []desired.Layer2Address, answered []Led, links []desired.Link,
) (want []desired.Layer2Address, next time.Time) {
	down := func(name string) bool {
		return !slices.ContainsFunc(links, func(l desired.Link) bool { return l.Name == name && l.Up })
	}
	for addr, g := range h.given {
		_, again := slices.BinarySearchFunc(allowed, addr, compareAddress)
		g.address.Interfaces = slices.DeleteFunc(slices.Clone(g.address.Interfaces), down)
		h.given[addr] = g
		if again || !now.Before(g.until) || !answers(answered, addr) || len(g.address.Interfaces) == 0 {
			delete(h.given, addr)
		}
	}
	if len(h.given) == 0 {
		return allowed, time.Time{}
	}
	want = slices.Clone(allowed)
	for _, g := range h.given {
		want = append(want, g.address)
		if next.IsZero() || g.until.Before(next) {
			next = g.until
		}
	}
	slices.SortFunc(want, func(a, b desired.Layer2Address) int { return a.Address.Compare(b.Address) })
	return want, next
}

// compareAddress compares an announcement with an address, for searches.
func compareAddress(a desired.Layer2Address, addr netip.Addr) int { return a.Address.Compare(addr) }

// answers reports whether an address is in a sorted list.
func answers(led []Led, addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(led, addr, func(l Led, addr netip.Addr) int { return l.Address.Compare(addr) })
	return found
}
