package ipam

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
)

// A model is an Allocator that knows no better than to look at every address.
type model struct {
	pools    []Pool
	owners   map[string]*modelOwner
	released map[netip.Addr]time.Time
}

type modelOwner struct {
	sharing Sharing
	addrs   []netip.Addr
}

func newModel() *model {
	return &model{owners: map[string]*modelOwner{}, released: map[netip.Addr]time.Time{}}
}

var errModel = errors.New("refused")

func (m *model) poolOf(addr netip.Addr) *Pool {
	for i, p := range m.pools {
		if p.AvoidBuggyIPs && addr.Is4() && buggy(addr) {
			continue
		}
		if slices.ContainsFunc(p.Ranges, func(r iprange.Range) bool { return r.Contains(addr) }) {
			return &m.pools[i]
		}
	}
	return nil
}

func (m *model) pool(name string) *Pool {
	i := slices.IndexFunc(m.pools, func(p Pool) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &m.pools[i]
}

func (m *model) expire(now time.Time) {
	for addr, at := range m.released {
		if p := m.poolOf(addr); p == nil || !at.Add(p.Cooldown).After(now) {
			delete(m.released, addr)
		}
	}
}

func (m *model) setPools(pools []Pool, now time.Time) error {
	m.expire(now)
	for i, p := range pools {
		for j, r := range p.Ranges {
			if overlapsOther(pools, r, i, j) {
				return errModel
			}
		}
	}
	m.pools = pools
	m.expire(now)
	return nil
}

// overlapsOther reports whether r, range j of pool i, overlaps another range.
func overlapsOther(pools []Pool, r iprange.Range, i, j int) bool {
	for k, p := range pools {
		for l, other := range p.Ranges {
			if (k != i || l != j) && r.Overlaps(other) {
				return true
			}
		}
	}
	return false
}

func (m *model) holders(addr netip.Addr) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.owners)) {
		if slices.Contains(m.owners[name].addrs, addr) {
			names = append(names, name)
		}
	}
	return names
}

// mayHold reports whether owner may hold addr beside all others that do.
func (m *model) mayHold(owner string, addr netip.Addr, s Sharing) bool {
	for _, name := range m.holders(addr) {
		if name == owner {
			continue
		}
		t := m.owners[name].sharing
		if s.Key == "" || s.Key != t.Key || s.Backends != t.Backends {
			return false
		}
		for _, p := range s.Ports {
			if slices.Contains(t.Ports, p) {
				return false
			}
		}
	}
	return true
}

func (m *model) claim(owner string, addrs []netip.Addr, s Sharing, now time.Time, existing bool) error {
	if !existing {
		m.expire(now)
	}
	for _, addr := range addrs {
		mine := m.owners[owner] != nil && slices.Contains(m.owners[owner].addrs, addr)
		if m.poolOf(addr) == nil && !mine && !existing {
			return errModel
		}
	}
	for _, addr := range addrs {
		if !m.mayHold(owner, addr, s) {
			return errModel
		}
	}
	m.assign(owner, addrs, s, now)
	return nil
}

func (m *model) assign(owner string, addrs []netip.Addr, s Sharing, now time.Time) {
	var before []netip.Addr
	if m.owners[owner] != nil {
		before = m.owners[owner].addrs
	}
	delete(m.owners, owner)
	var each []netip.Addr
	for _, addr := range addrs {
		if !slices.Contains(each, addr) {
			each = append(each, addr)
		}
		delete(m.released, addr)
	}
	if len(each) > 0 {
		m.owners[owner] = &modelOwner{s, each}
	}
	for _, addr := range before {
		if m.holders(addr) == nil && m.poolOf(addr) != nil {
			m.released[addr] = now
		}
	}
	m.expire(now)
}

func (m *model) allocate(req Request, now time.Time) error {
	m.expire(now)
	kept := map[Family]netip.Addr{}
	homes := map[string]bool{}
	if o := m.owners[req.Owner]; o != nil {
		for _, addr := range o.addrs {
			p, f := m.poolOf(addr), FamilyOf(addr)
			if p == nil || kept[f].IsValid() || !slices.Contains(req.Families, f) ||
				!req.serves(&pool{Pool: *p}) || !m.mayHold(req.Owner, addr, req.Sharing) {
				continue
			}
			kept[f] = addr
			homes[p.Name] = true
		}
	}
	for _, rank := range m.ranksOf(req) {
		hasHome := slices.ContainsFunc(rank, func(name string) bool { return homes[name] })
		for _, name := range rank {
			if hasHome && !homes[name] {
				continue
			}
			if m.take(req, kept, []string{name}, now) {
				return nil
			}
		}
		if m.take(req, kept, rank, now) {
			return nil
		}
		for _, f := range req.Families { // the next rank is asked for the rest
			for _, name := range rank {
				if p := m.pool(name); p != nil && !kept[f].IsValid() {
					kept[f] = m.pick(req, f, name)
				}
			}
		}
	}
	return errModel
}

// ranksOf returns the candidates of a request, rank by rank.
func (m *model) ranksOf(req Request) [][]string {
	sorted := slices.SortedFunc(slices.Values(m.pools), func(p, q Pool) int {
		return cmp.Or(cmp.Compare(p.Rank, q.Rank), strings.Compare(p.Name, q.Name))
	})
	var ranks [][]string
	for i, p := range sorted {
		if i == 0 || p.Rank != sorted[i-1].Rank {
			ranks = append(ranks, nil)
		}
		last := &ranks[len(ranks)-1]
		switch {
		case !req.serves(&pool{Pool: p}):
		case p.Name == req.Near:
			*last = slices.Insert(*last, 0, p.Name)
		default:
			*last = append(*last, p.Name)
		}
	}
	return ranks
}

// take assigns what req wants from pools, or nothing.
func (m *model) take(req Request, kept map[Family]netip.Addr, pools []string, now time.Time) bool {
	var addrs []netip.Addr
	for _, f := range req.Families {
		addr := kept[f]
		for _, name := range pools {
			if p := m.pool(name); p != nil && !addr.IsValid() {
				addr = m.pick(req, f, name)
			}
		}
		if !addr.IsValid() {
			return false
		}
		addrs = append(addrs, addr)
	}
	m.assign(req.Owner, addrs, req.Sharing, now)
	return true
}

func (m *model) pick(req Request, f Family, pool string) netip.Addr {
	var free netip.Addr
	for _, addr := range universe(f) {
		if p := m.poolOf(addr); p == nil || p.Name != pool {
			continue
		}
		_, resting := m.released[addr]
		names := m.holders(addr)
		if len(names) > 0 && m.mayHold(req.Owner, addr, req.Sharing) {
			return addr
		}
		if len(names) == 0 && !resting && !free.IsValid() {
			free = addr
		}
	}
	return free
}

func (m *model) nextRested() time.Time {
	var next time.Time
	for addr, at := range m.released {
		if end := at.Add(m.poolOf(addr).Cooldown); next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return next
}
