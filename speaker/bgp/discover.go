package bgp

import (
	"context"
	"net/netip"
	"time"
)

// A seeker looks for the router on an interface, beneath Start.
type seeker struct {
	cancel context.CancelFunc
	wake   chan struct{} // capacity 1: the interface has changed
}

// A candidate is the router that an unnumbered session is tried with.
type candidate struct {
	from    netip.Addr // with its zone; invalid when none was heard
	gateway bool
	chosen  time.Time
}

// tryFor is how long a session with one router is tried before another one that
// is heard gets its turn.
const tryFor = 10 * time.Second

// hear takes an advert and reports whether it is tried now. There should be one
// router on the link. If there are more, one that wants to be a default router
// goes before one that does not, which may be another node like this one; and
// one that a session is established with stays.
func (c *candidate) hear(a advert, up bool, now time.Time) bool {
	switch {
	case a.from == c.from:
		c.gateway = a.gateway
		return false
	case !c.from.IsValid():
	case up, c.gateway && !a.gateway && now.Sub(c.chosen) < 3*tryFor:
		return false
	case a.gateway && !c.gateway:
	case now.Sub(c.chosen) < tryFor:
		return false
	}
	*c = candidate{from: a.from, gateway: a.gateway, chosen: now}
	return true
}

// seek looks for routers on the interfaces of unnumbered peers, and on no other.
func (e *engine) seek(ctx context.Context) {
	needed := map[string]bool{}
	for _, p := range e.peers {
		if p.config != nil && p.config.Interface != "" {
			needed[p.config.Interface] = true
		}
	}
	for name, s := range e.seekers {
		if !needed[name] {
			s.cancel()
			delete(e.seekers, name)
		}
	}
	for name := range needed {
		if e.seekers[name] == nil {
			e.seekOn(ctx, name)
		}
	}
}

// seekOn begins to look for a router.
func (e *engine) seekOn(ctx context.Context, name string) {
	ctx, cancel := context.WithCancel(ctx)
	s := &seeker{cancel: cancel, wake: make(chan struct{}, 1)}
	e.seekers[name] = s
	e.going.Go(func() {
		e.network.seek(ctx, name, s.wake, func(a advert) {
			e.mail.put(func(_ context.Context, e *engine) { e.discovered(name, a) })
		})
	})
}

// discovered follows an advert of a router.
func (e *engine) discovered(name string, a advert) {
	for _, p := range e.peers {
		if p.config != nil && p.config.Interface == name && p.heard.hear(a, p.up(), time.Now()) {
			p.retry, p.backoff = time.Time{}, 0
		}
	}
}
