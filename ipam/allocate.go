package ipam

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"
)

// Allocate gives the owner one address of each family that it asks for, and
// releases what else it held. An address that it holds is kept if it is of a
// family asked for, in a candidate pool, and may still be shared with whoever
// else holds it; so to ask again changes nothing. For the others, an address
// in use that can be shared comes before the lowest free one of a pool.
//
// On an error nothing has changed; it is an *ExhaustedError when no candidate
// pool could serve some family.
func (a *Allocator) Allocate(req Request, now time.Time) ([]Assignment, error) {
	a.expire(now)
	if err := req.check(); err != nil {
		return nil, fmt.Errorf("allocate for %q: %w", req.Owner, err)
	}
	req.Sharing = req.Sharing.normal()
	s := search{Request: req, pools: a.pools, order: a.order}
	h := a.holder(req.Owner)
	s.keep(h)
	if !s.fromRanks() {
		return nil, s.exhausted()
	}
	a.assign(h, s.found[:len(s.Families)], req.Sharing, now)
	return h.holdings(), nil
}

// check says what is wrong with a request.
func (req Request) check() error {
	if len(req.Families) == 0 {
		return errors.New("no family asked for")
	}
	for i, f := range req.Families {
		if f != IPv4 && f != IPv6 {
			return fmt.Errorf("family %d: not known", f)
		}
		if slices.Contains(req.Families[:i], f) {
			return fmt.Errorf("family %v: asked for twice", f)
		}
	}
	return nil
}

// A search looks for what a Request asks for.
type search struct {
	Request
	// pools are all that there are, and order is that in which they are tried.
	pools map[string]*pool
	order *order
	// found has an address for each of Families, not valid where none is found.
	// There are no more than two.
	found [2]netip.Addr
	// home is the pool of an address that the owner keeps, or nil.
	home *pool
}

// keep finds what the owner has already.
func (s *search) keep(h *holder) {
	for _, e := range h.entries {
		i := slices.Index(s.Families, FamilyOf(e.addr))
		if i < 0 || s.found[i].IsValid() || e.pool == nil || !s.serves(e.pool) ||
			e.conflict(s.Owner, s.Sharing) != nil {
			continue
		}
		s.found[i] = e.addr
		s.home = e.pool
	}
}

// fromRanks looks through the candidates, one rank after the other. Of a rank
// it sees only pools that may have something to give.
func (s *search) fromRanks() bool {
	if s.Pool != "" {
		p := s.pools[s.Pool]
		return p != nil && s.from(p)
	}
	if s.complete() {
		return true
	}
	for p := s.next(0); p != nil; p = s.next(s.order.after(p)) {
		if s.fromOne(p) || len(s.Families) > 1 && s.fromAny(p) {
			return true
		}
	}
	return false
}

// complete reports whether every family has an address.
func (s *search) complete() bool {
	return !slices.ContainsFunc(s.found[:len(s.Families)], func(a netip.Addr) bool { return !a.IsValid() })
}

// next returns the first pool, from a place on, that may have an address of a
// family that is missing; nil when there is none.
func (s *search) next(from int) *pool {
	var first *pool
	for i, f := range s.Families {
		if s.found[i].IsValid() {
			continue
		}
		if p := s.order.next(f, s.Sharing, from); p != nil && (first == nil || p.place < first.place) {
			first = p
		}
	}
	return first
}

// of yields the candidates of the rank that begins with first, or those of its
// pools that may have an address of a family: the near one, and then the
// others in their order.
func (s *search) of(first *pool, f Family) iter.Seq[*pool] {
	return func(yield func(*pool) bool) {
		near := s.pools[s.Near]
		if near != nil && near.Rank == first.Rank && s.serves(near) && !yield(near) {
			return
		}
		for p := s.order.next(f, s.Sharing, first.place); p != nil && p.Rank == first.Rank; p = s.order.next(f, s.Sharing, p.place+1) {
			if p != near && s.serves(p) && !yield(p) {
				return
			}
		}
	}
}

// fromOne looks for a candidate of a rank that serves every family: where an
// address is kept from one of them that is the address's own pool, or else the
// first that can.
func (s *search) fromOne(first *pool) bool {
	if s.home != nil && s.home.Rank == first.Rank {
		return s.from(s.home)
	}
	for i, f := range s.Families {
		if s.found[i].IsValid() {
			continue
		}
		for p := range s.of(first, f) {
			if s.from(p) {
				return true
			}
		}
		return false // no pool serves this family and the others
	}
	return true
}

// from finds all that is missing in p, or nothing.
func (s *search) from(p *pool) bool {
	picked := s.found
	for i, f := range s.Families {
		if !picked[i].IsValid() {
			picked[i] = p.pick(f, s.Sharing)
		}
		if !picked[i].IsValid() {
			return false
		}
	}
	s.found = picked
	return true
}

// fromAny looks for the first candidate of a rank that serves a family, for
// each that is missing.
func (s *search) fromAny(first *pool) bool {
	for i, f := range s.Families {
		if s.found[i].IsValid() {
			continue
		}
		for p := range s.of(first, f) {
			if s.found[i] = p.pick(f, s.Sharing); s.found[i].IsValid() {
				break
			}
		}
	}
	return s.complete()
}

// pick returns an address that an owner with this sharing may be given: the
// lowest in use that it can share, or else the lowest free one, or else none.
func (p *pool) pick(f Family, sharing Sharing) netip.Addr {
	s := p.space(f)
	if g := s.groups[sharing.group()]; g != nil {
		if e := g.lowestFit(sharing.Ports); e != nil {
			return e.addr
		}
	}
	addr, _ := s.lowestFree()
	return addr
}

// exhausted says why the search found nothing.
func (s *search) exhausted() error {
	err := &ExhaustedError{Owner: s.Owner, Shortages: make([]Shortage, 0, len(s.order.pools))}
	for i, f := range s.Families {
		if s.found[i].IsValid() {
			continue
		}
		if s.Pool != "" && s.pools[s.Pool] == nil {
			err.Shortages = append(err.Shortages, Shortage{Pool: s.Pool, Family: f, Cause: UnknownPool})
			continue
		}
		for _, p := range s.order.pools {
			if s.serves(p) {
				err.Shortages = append(err.Shortages, p.shortage(f))
			}
		}
	}
	return err
}

// shortage says why a pool that could not serve a family did not.
func (p *pool) shortage(f Family) Shortage {
	if p.space(f).size.IsZero() {
		return Shortage{Pool: p.Name, Family: f, Cause: NoFamily}
	}
	return Shortage{Pool: p.Name, Family: f, Cause: Full, Usage: p.space(f).usage()}
}
