package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// plan finds out how the router of a peer is reached, and what follows for its
// next hops.
func (e *engine) plan(p *peer) {
	if p.config == nil {
		return
	}
	s, obstacle := e.locate(p)
	if p.obstacle = obstacle; obstacle != "" {
		return // what there is stays as it was
	}
	if s.link == nil && p.session != nil && s.remote == p.site.remote {
		// A link that goes down may lose its addresses, and is still the one.
		s.link = p.site.link
	}
	p.site = s
	if !p.id.IsValid() {
		p.id = routerID(p.config, s, e.links, e.config.Node)
	}
	h := nextHops(s, e.links, e.lasting)
	if s.local.IsLoopback() {
		h = e.outward(p.config.VRF)
	}
	if h != p.hops {
		p.hops = h
		p.stale = p.session != nil
	}
}

// Addresses that nobody has (RFC 5737, RFC 3849): the way to them is that to
// anybody.
var anybody4, anybody6 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")

// outward returns the addresses that this node has to the world, invalid ones
// where it has no way there. They are the next hops for another speaker on the
// node itself: that tells routers of the routes, to which the loopback is no way.
func (e *engine) outward(vrf string) hops {
	v4, _ := e.network.local(anybody4, vrf) // the session's error tells of prefixes without a next hop
	v6, _ := e.network.local(anybody6, vrf)
	return hops{v4: v4, v6: v6}
}

// locate returns the way to a router, or what is in it.
func (e *engine) locate(p *peer) (s site, obstacle string) {
	c := p.config
	if c.Interface != "" {
		return e.locateUnnumbered(p)
	}
	if p.session != nil && p.up() && p.established.Local.IsValid() {
		return siteOf(c.Address, p.established.Local, e.links), ""
	}
	if c.SourceAddress.IsValid() {
		return siteOf(c.Address, c.SourceAddress, e.links), ""
	}
	local, err := e.network.local(c.Address, c.VRF)
	if err != nil {
		return site{}, err.Error()
	}
	return siteOf(c.Address, local, e.links), ""
}

// locateUnnumbered returns the way to a router on an interface.
func (e *engine) locateUnnumbered(p *peer) (s site, obstacle string) {
	name := p.config.Interface
	link := linkNamed(e.links, name)
	switch {
	case link == nil:
		return site{}, fmt.Sprintf("this node has no interface %s that can be used", name)
	case !link.Up:
		return site{}, fmt.Sprintf("interface %s is down", name)
	case !linkLocal(link).IsValid():
		return site{}, fmt.Sprintf("interface %s has no IPv6 link-local address", name)
	case !p.heard.from.IsValid():
		return site{}, fmt.Sprintf("no router advertises itself on interface %s", name)
	}
	return siteOf(p.heard.from, linkLocal(link), e.links), ""
}

// next returns how to talk to the router of a peer now.
func (p *peer) next() Neighbor { return neighborOf(p.config, p.site, p.id) }

// open opens the session of a peer that has none and can have one.
func (e *engine) open(p *peer, now time.Time) error {
	if p.config == nil || p.session != nil || p.closing || p.liveness.held() || now.Before(p.notBefore()) {
		return nil
	}
	if p.obstacle != "" {
		p.later(now)
		return nil
	}
	if p.rival = e.rival(p); p.rival != "" {
		return nil // its end is waited for
	}
	n := p.next()
	p.sent, p.unsent, p.stale = tally[*manner]{}, tally[struct{}]{}, false
	var paths []Path
	for _, w := range wishes(e.want.Routes, p.name) {
		if path, ok := p.path(w); ok {
			paths = append(paths, path)
			p.sent.put(path.Prefix, p.mannerOf(path))
		}
	}
	p.generation++
	generation := p.generation
	s, err := e.config.Router.Open(n, paths, func(ev Event) {
		e.mail.put(func(_ context.Context, e *engine) { e.happened(p, generation, ev) })
	})
	if err != nil {
		p.sent = tally[*manner]{}
		p.generation++
		p.later(now)
		p.reason = err.Error()
		return fmt.Errorf("bgp peer %q: open session: %w", p.name, err)
	}
	p.session, p.neighbor, p.state = &line{session: s}, n, Idle
	p.backoff, p.retry = 0, time.Time{}
	e.metrics.sent.WithLabelValues(p.name, changeAnnounced).Add(float64(len(paths)))
	return nil
}

// rival returns another peer whose session with the same router is not closed
// yet, if there is one.
func (e *engine) rival(p *peer) string {
	for _, o := range e.ordered() {
		if o != p && (o.session != nil || o.closing) && o.neighbor.Address == p.site.remote && o.neighbor.VRF == p.config.VRF {
			return o.name
		}
	}
	return ""
}

// closeUnfit closes a session that is not wanted, or not as it should be.
func (e *engine) closeUnfit(p *peer) {
	switch {
	case p.config == nil && p.session != nil:
		e.close(p, Cease, "not wanted any more")
	case p.config == nil && !p.closing:
		delete(e.peers, p.name)
	case p.config == nil || p.session == nil:
	case p.config.Interface != "" && p.obstacle != "" && p.site.remote == p.neighbor.Address:
		keep := survives(p.neighbor, p.neighbor, p.established)
		e.reset(p, p.obstacle)
		e.close(p, farewell(keep), p.obstacle)
	case p.next() != p.neighbor:
		p.resting = p.up() && p.config.BFD != nil
		e.close(p, farewell(survives(p.neighbor, p.next(), p.established)), "the settings of the session changed")
	}
}

// farewell returns how a session ends whose routes are to be kept, or not.
func farewell(keep bool) Farewell {
	if keep {
		return Keep
	}
	return Cease
}

// reset drops the connection of a session at once.
func (e *engine) reset(p *peer, reason string) {
	if err := p.session.reset(reason); err != nil {
		level.Warn(e.config.Logger).Log("msg", "bgp session not reset", "peer", p.name, "error", err)
	}
	e.enter(p, Event{At: time.Now(), State: Idle, Reason: reason}, level.Warn)
}

// close closes a session, which takes up to a second that nobody waits for.
func (e *engine) close(p *peer, f Farewell, reason string) {
	s := p.session
	p.session, p.closing, p.stale = nil, true, false
	p.generation++
	p.sent, p.unsent = tally[*manner]{}, tally[struct{}]{}
	e.enter(p, Event{At: time.Now(), State: Idle, Reason: reason}, level.Info)
	p.established = Established{}
	e.going.Go(func() {
		err := s.close(f)
		e.mail.put(func(_ context.Context, e *engine) { e.closed(p, err) })
	})
}

// closed follows the end of a session.
func (e *engine) closed(p *peer, err error) {
	p.closing = false
	if p.resting {
		p.resting, p.breath = false, time.Now().Add(breath)
	}
	if err != nil {
		level.Warn(e.config.Logger).Log("msg", "bgp session not closed in good order", "peer", p.name, "error", err)
	}
	if e.leaving != nil {
		e.leaving.check(e)
	}
}

// happened follows what a Router tells of a session.
func (e *engine) happened(p *peer, generation int, ev Event) {
	if generation == p.generation {
		e.enter(p, ev, level.Warn)
	}
}

// enter takes a session to another state; the level is that of the log when it
// goes down.
func (e *engine) enter(p *peer, ev Event, down func(log.Logger) log.Logger) {
	was := p.up()
	if !was && ev.Reason != "" && ev.Reason != p.reason {
		level.Debug(e.config.Logger).Log("msg", "bgp session does not come up", "peer", p.name, "ip", p.neighbor.Address, "reason", ev.Reason)
	}
	p.state = ev.State
	if ev.Reason != "" {
		p.reason = ev.Reason
	}
	if p.up() {
		p.established = ev.Established
	}
	if was == p.up() {
		return
	}
	p.since = ev.At
	if p.config != nil {
		e.metrics.transition(p.name, p.up())
	}
	if p.up() {
		level.Info(e.config.Logger).Log("msg", "bgp session up", "peer", p.name, "ip", p.neighbor.Address)
		return
	}
	down(e.config.Logger).Log("msg", "bgp session down", "peer", p.name, "ip", p.neighbor.Address, "reason", ev.Reason)
}
