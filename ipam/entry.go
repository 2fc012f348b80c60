package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/internal/heap"
	"github.com/heraldlb/herald/internal/iprange"
)

// An entry is an address that is held or rests.
type entry struct {
	addr netip.Addr
	// pool is nil for an orphan. Invariant: an entry that rests has a pool.
	pool    *pool
	ordinal iprange.Count // within the space; zero for an orphan
	// owners are sorted by name; an entry with none rests. Invariant: no two
	// of them conflict.
	owners []*holder
	// ports are those of all owners, sorted; users has whose, at the same
	// index. Invariant: no port is there twice.
	ports []Port
	users []*holder
	// sole is the memory of owners as long as there is one at most.
	sole [1]*holder
	// released is when the last owner went, and rested when the rest is over.
	released, rested time.Time
	// Place is that in the Allocator's heap of entries that rest.
	heap.Place
}

// A holder is an owner that holds addresses.
type holder struct {
	name    string
	sharing Sharing // normal
	entries []*entry
	// few is the memory of entries as long as there is one of a family at most.
	few [2]*entry
}

// addresses are those that h holds, in its order; h may be nil.
func (h *holder) addresses() []netip.Addr {
	if h == nil {
		return nil
	}
	addrs := make([]netip.Addr, len(h.entries))
	for i, e := range h.entries {
		addrs[i] = e.addr
	}
	return addrs
}

// holdings are what h holds, in its order; h may be nil.
func (h *holder) holdings() []Assignment {
	if h == nil {
		return nil
	}
	held := make([]Assignment, len(h.entries))
	for i, e := range h.entries {
		held[i] = Assignment{Address: e.addr}
		if e.pool != nil {
			held[i].Pool = e.pool.Name
		}
	}
	return held
}

// space is where the entry is counted; nil for an orphan.
func (e *entry) space() *space {
	if e.pool == nil {
		return nil
	}
	return e.pool.space(FamilyOf(e.addr))
}

// add makes h an owner. Its sharing must not conflict.
func (e *entry) add(h *holder) {
	e.leaveGroup()
	i, _ := slices.BinarySearchFunc(e.owners, h.name, compareName)
	e.owners = slices.Insert(e.owners, i, h)
	for _, p := range h.sharing.Ports {
		i, _ := slices.BinarySearchFunc(e.ports, p, comparePorts)
		e.ports = slices.Insert(e.ports, i, p)
		e.users = slices.Insert(e.users, i, h)
	}
	e.joinGroup()
}

// drop makes h an owner no longer.
func (e *entry) drop(h *holder) {
	e.leaveGroup()
	i, _ := slices.BinarySearchFunc(e.owners, h.name, compareName)
	e.owners = slices.Delete(e.owners, i, i+1)
	for _, p := range h.sharing.Ports {
		i, _ := slices.BinarySearchFunc(e.ports, p, comparePorts)
		e.ports = slices.Delete(e.ports, i, i+1)
		e.users = slices.Delete(e.users, i, i+1)
	}
	e.joinGroup()
}

func compareName(h *holder, name string) int { return strings.Compare(h.name, name) }

// joinGroup lets others find the address when they may share it.
func (e *entry) joinGroup() {
	if e.pool == nil || len(e.owners) == 0 || e.owners[0].sharing.Key == "" {
		return
	}
	groups, key := e.space().groups, e.owners[0].sharing.group()
	g := groups[key]
	if g == nil {
		g = newGroup()
		groups[key] = g
		e.pool.order.addSharer(e.pool, FamilyOf(e.addr), key)
	}
	g.tree.insert(e.addr, member{entry: e})
}

// leaveGroup undoes joinGroup, and must come before what it went by changes.
func (e *entry) leaveGroup() {
	if e.pool == nil || len(e.owners) == 0 || e.owners[0].sharing.Key == "" {
		return
	}
	groups, key := e.space().groups, e.owners[0].sharing.group()
	groups[key].tree.remove(e.addr)
	if groups[key].tree.root == nil {
		delete(groups, key)
		e.pool.order.removeSharer(e.pool, FamilyOf(e.addr), key)
	}
}

// conflict says why owner cannot hold e on these terms, or is nil. What owner
// itself holds is no hindrance. e may be nil, s must be normal.
func (e *entry) conflict(owner string, s Sharing) *ConflictError {
	if e == nil {
		return nil
	}
	i := slices.IndexFunc(e.owners, func(h *holder) bool { return h.name != owner })
	if i < 0 {
		return nil
	}
	if rule := s.differs(e.owners[i].sharing); rule != "" {
		return &ConflictError{Address: e.addr, Owner: e.owners[i].name, Rule: rule}
	}
	for _, p := range s.Ports {
		i, found := slices.BinarySearchFunc(e.ports, p, comparePorts)
		if found && e.users[i].name != owner {
			rule := fmt.Sprintf("both use %s port %d", p.Protocol, p.Number)
			return &ConflictError{Address: e.addr, Owner: e.users[i].name, Rule: rule}
		}
	}
	return nil
}
