package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// compare notes what the session of a peer has to announce and to withdraw: what
// has changed, or everything that differs if the peer is stale.
func (e *engine) compare(p *peer, changed []wish, now time.Time) {
	p.announce, p.withdraw = nil, nil
	if p.session == nil || p.config == nil {
		return
	}
	if p.stale && now.Before(p.retry) {
		return // what has changed will be found by comparing everything
	}
	if p.stale {
		changed = e.all(p)
		p.stale = false
	}
	for _, w := range changed {
		p.follow(w)
	}
}

// all returns a wish for every prefix that the peer should hear of, or does.
func (e *engine) all(p *peer) []wish {
	list := wishes(e.want.Routes, p.name)
	wanted := make(map[netip.Prefix]bool, len(list))
	for _, w := range list {
		wanted[w.prefix] = true
	}
	var gone []wish
	for prefix := range p.sent.of {
		if !wanted[prefix] {
			gone = append(gone, wish{prefix: prefix})
		}
	}
	for prefix := range p.unsent.of {
		if !wanted[prefix] {
			p.unsent.drop(prefix)
		}
	}
	slices.SortFunc(gone, func(a, b wish) int { return a.prefix.Compare(b.prefix) })
	return append(list, gone...)
}

// follow notes what a wish asks for that is not so already.
func (p *peer) follow(w wish) {
	path, ok := p.path(w)
	before, sent := p.sent.of[w.prefix]
	switch {
	case ok && (!sent || !before.isOf(path)):
		p.announce = append(p.announce, path)
	case !ok && sent:
		p.withdraw = append(p.withdraw, w.prefix)
	}
}

// path returns what is announced for a wish; it reports false for nothing.
func (p *peer) path(w wish) (Path, bool) {
	if w.attributes == nil {
		p.unsent.drop(w.prefix)
		return Path{}, false
	}
	hop := p.hops.of(w.prefix)
	if !hop.IsValid() {
		p.unsent.put(w.prefix, struct{}{})
		return Path{}, false
	}
	p.unsent.drop(w.prefix)
	return Path{Prefix: w.prefix, NextHop: hop, Attributes: *w.attributes}, true
}

// announce announces what compare has noted.
func (e *engine) announce(p *peer) error {
	if len(p.announce) == 0 {
		return nil
	}
	err := p.session.announce(p.announce)
	for _, path := range p.announce {
		if err != nil {
			p.sent.put(path.Prefix, nil)
			continue
		}
		p.sent.put(path.Prefix, p.mannerOf(path))
	}
	return e.outcome(p, changeAnnounced, len(p.announce), err)
}

// withdraw takes back what compare has noted.
func (e *engine) withdraw(p *peer) error {
	if len(p.withdraw) == 0 || p.session == nil {
		return nil
	}
	err := p.session.withdraw(p.withdraw)
	for _, prefix := range p.withdraw {
		if err != nil {
			p.sent.put(prefix, nil)
			continue
		}
		p.sent.drop(prefix)
	}
	return e.outcome(p, changeWithdrawn, len(p.withdraw), err)
}

// outcome notes whether prefixes were announced or withdrawn.
func (e *engine) outcome(p *peer, change string, n int, err error) error {
	if err != nil {
		p.stale = true
		p.later(time.Now())
		p.reason = err.Error()
		return fmt.Errorf("bgp peer %q: %d prefixes not %s: %w", p.name, n, change, err)
	}
	e.metrics.sent.WithLabelValues(p.name, change).Add(float64(n))
	if !p.stale {
		p.backoff, p.retry = 0, time.Time{}
	}
	return nil
}
