package bgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/speaker/bfd"
)

// A departure is the end of all sessions.
type departure struct {
	keep   bool
	parted chan struct{} // closed when every session is
	begun  bool          // part was called
	// silent are the BFD sessions that end without a word: those of routers that
	// keep the routes, which they would give up if BFD said goodbye.
	silent []bfd.Session
}

// check closes parted when every session is closed.
func (d *departure) check(e *engine) {
	if !d.begun {
		return
	}
	for _, p := range e.peers {
		if p.closing || p.session != nil {
			return
		}
	}
	select {
	case <-d.parted:
	default:
		close(d.parted)
	}
}

// keeps reports whether a router keeps the routes of this node.
func (d *departure) keeps(p *peer) bool {
	return d.keep && p.session != nil && p.up() && survives(p.neighbor, p.neighbor, p.established)
}

// lower announces to routers that will not keep the routes that they should
// choose others, and reports whether there was one to be told.
func (e *engine) lower(keep bool) (told bool, err error) {
	if e.leaving != nil {
		return false, nil
	}
	e.leaving = &departure{keep: keep, parted: make(chan struct{})}
	var errs []error
	for _, p := range e.ordered() {
		if p.session == nil || !p.up() || p.sent.len() == 0 || e.leaving.keeps(p) {
			continue
		}
		p.announce = nil
		for _, prefix := range slices.SortedFunc(maps.Keys(p.sent.of), netip.Prefix.Compare) {
			if m := p.sent.of[prefix]; m != nil {
				p.announce = append(p.announce, m.path(prefix).leaving())
			}
		}
		told = true
		errs = append(errs, e.announce(p))
	}
	return told, errors.Join(errs...)
}

// recall withdraws what lower has announced.
func (e *engine) recall() error {
	var errs []error
	for _, p := range e.ordered() {
		if p.session != nil && p.up() && !e.leaving.keeps(p) {
			p.withdraw = slices.SortedFunc(maps.Keys(p.sent.of), netip.Prefix.Compare)
			errs = append(errs, e.withdraw(p))
		}
	}
	return errors.Join(errs...)
}

// part closes all sessions and returns what is closed when they are.
func (e *engine) part() <-chan struct{} {
	e.leaving.begun = true
	for _, p := range e.ordered() {
		if p.session == nil {
			continue
		}
		keep := e.leaving.keeps(p)
		if keep && p.liveness.wanted {
			e.leaving.silent = append(e.leaving.silent, p.liveness.session)
		}
		e.close(p, farewell(keep), "this node is leaving")
	}
	e.leaving.check(e)
	return e.leaving.parted
}

// fallSilent ends the BFD sessions, after those of BGP: a router for which BFD
// went first would give up the routes at once.
func (e *engine) fallSilent(ctx context.Context) error {
	var errs []error
	if silent := e.leaving.silent; len(silent) > 0 {
		errs = append(errs, e.config.Detector.Set(ctx, silent))
		e.config.Detector.Hush()
		e.leaving.silent = nil
	}
	errs = append(errs, e.config.Detector.Set(ctx, nil))
	e.watching = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("end bfd sessions: %w", err)
	}
	return nil
}

// end ends what Leave has not ended.
func (e *engine) end(ctx context.Context) {
	if e.leaving == nil {
		e.leaving = &departure{keep: true, parted: make(chan struct{})}
	}
	e.part()
	for _, s := range e.seekers {
		s.cancel()
	}
	e.going.Wait()
	if err := e.fallSilent(ctx); err != nil {
		e.complain(err)
	}
	e.publish(false)
}
