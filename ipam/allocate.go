package ipam

import (
	"errors"
	"fmt"
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
	s := search{Request: req, pools: a.pools, found: make([]netip.Addr, len(req.Families))}
	s.keep(a.holders[req.Owner])
	if !s.fromRanks() {
		return nil, s.exhausted()
	}
	a.assign(req.Owner, s.found, req.Sharing, now)
	return a.Holdings(req.Owner), nil
}

// check says what is wrong with a request.
func (req Request) check() error {
	if len(req.Families) == 0 {
		return errors.New("no family asked for")
	}
	if req.Ranks != nil && (len(req.Ranks) != len(req.Pools) || !slices.IsSorted(req.Ranks)) {
		return fmt.Errorf("ranks %v of %d pools: want one for each, never falling", req.Ranks, len(req.Pools))
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
	// pools are all that there are.
	pools map[string]*pool
	// found has an address for each of Families, not valid where none is found.
	found []netip.Addr
	// home is the pool of an address that the owner keeps, or nil.
	home *pool
}

// keep finds what the owner has already.
func (s *search) keep(h *holder) {
	if h == nil {
		return
	}
	for _, e := range h.entries {
		i := slices.Index(s.Families, FamilyOf(e.addr))
		if i < 0 || s.found[i].IsValid() || e.pool == nil || !slices.Contains(s.Pools, e.pool.Name) ||
			e.conflict(s.Owner, s.Sharing) != nil {
			continue
		}
		s.found[i] = e.addr
		s.home = e.pool
	}
}

// fromRanks looks through the pools, one rank after the other.
func (s *search) fromRanks() bool {
	for first := 0; first < len(s.Pools); {
		next := len(s.Pools)
		if s.Ranks != nil {
			for next = first + 1; next < len(s.Pools) && s.Ranks[next] == s.Ranks[first]; {
				next++
			}
		}
		rank := s.Pools[first:next]
		if s.fromOne(rank) || s.fromAny(rank) {
			return true
		}
		first = next
	}
	return false
}

// fromOne looks for a pool of a rank that serves every family: where an
// address is kept from one of them that is the address's own pool, or else the
// first that can.
func (s *search) fromOne(rank []string) bool {
	if s.home != nil && slices.Contains(rank, s.home.Name) {
		return s.from(s.home)
	}
	return slices.ContainsFunc(rank, func(name string) bool { return s.from(s.pools[name]) })
}

// from finds all that is missing in p, or nothing. p may be nil.
func (s *search) from(p *pool) bool {
	if p == nil {
		return false
	}
	var picked [2]netip.Addr // there are no more families
	for i, f := range s.Families {
		picked[i] = s.found[i]
		if !picked[i].IsValid() {
			picked[i] = p.pick(f, s.Sharing)
		}
		if !picked[i].IsValid() {
			return false
		}
	}
	copy(s.found, picked[:])
	return true
}

// fromAny looks for the first pool of a rank that serves a family, for each
// that is missing.
func (s *search) fromAny(rank []string) bool {
	all := true
	for i, f := range s.Families {
		for _, name := range rank {
			if s.found[i].IsValid() {
				break
			}
			if p := s.pools[name]; p != nil {
				s.found[i] = p.pick(f, s.Sharing)
			}
		}
		all = all && s.found[i].IsValid()
	}
	return all
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
	err := &ExhaustedError{Owner: s.Owner}
	for i, f := range s.Families {
		if s.found[i].IsValid() {
			continue
		}
		for _, name := range s.Pools {
			p, short := s.pools[name], Shortage{Pool: name, Family: f}
			switch {
			case p == nil:
				short.Cause = UnknownPool
			case p.space(f).size.IsZero():
				short.Cause = NoFamily
			default:
				short.Cause = Full
				short.Usage = p.space(f).usage()
			}
			err.Shortages = append(err.Shortages, short)
		}
	}
	return err
}
