package bgp

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// An engine owns the sessions. All its methods are for one goroutine.
type engine struct {
	*Announcer
	want  desired.BGP
	peers map[string]*peer

	links   []desired.Link
	lasting []desired.Link // the same, with addresses that can be next hops
	linksC  chan struct{}  // capacity 1: links may have changed
	watched bool           // and so links need not be read at every Set

	seekers map[string]*seeker // by interface
	// told is what Sessions returned after the last change.
	told []Status
	// watching are the BFD sessions that the detector has.
	watching []bfd.Session

	// leaving is set by lower.
	leaving *departure
	// going are sessions that close, and seekers and watchers that run.
	going sync.WaitGroup
	timer *time.Timer
}

func newEngine(a *Announcer) *engine {
	return &engine{Announcer: a, peers: map[string]*peer{}, seekers: map[string]*seeker{}, linksC: make(chan struct{}, 1)}
}

// run serves until ctx ends, and returns when all that it began has ended.
func (e *engine) run(ctx context.Context) error {
	e.timer = time.NewTimer(time.Hour)
	defer e.timer.Stop()
	e.timer.Stop()
	// The detector outlives the sessions.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	detected := make(chan error, 1)
	go func() { detected <- e.config.Detector.Start(watching) }()
	g := &guard{Announcer: e.Announcer}
	e.going.Go(func() { g.run(ctx, &e.going) })
	if e.config.WatchLinks != nil {
		e.going.Go(func() {
			if err := e.config.WatchLinks(ctx, e.linksC); err != nil {
				level.Warn(e.config.Logger).Log("msg", "network interfaces not watched", "error", err)
			}
		})
	}
	e.serve(ctx)
	e.end(watching)
	stop()
	return <-detected
}

// serve handles what comes until ctx ends.
func (e *engine) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-e.requests.C:
			r.Answer(r.Run(ctx, e))
			continue
		case <-e.mail.come:
			for _, run := range e.mail.take() {
				run(ctx, e)
			}
		case <-e.linksC:
			e.watched = true
			e.readLinks()
		case <-e.timer.C:
		}
		if err := e.converge(ctx, nil); err != nil {
			level.Debug(e.config.Logger).Log("msg", "not all done", "error", err)
		}
		e.publish(true)
	}
}

// set takes what is wanted.
func (e *engine) set(ctx context.Context, want desired.BGP) error {
	if e.leaving != nil {
		return errLeft
	}
	if !e.watched && len(want.Sessions) > 0 {
		e.readLinks()
	}
	changed := changes(e.want.Routes, want.Routes)
	e.want = want
	left := maps.Clone(e.peers)
	for _, c := range want.Sessions {
		p := e.peers[c.Name]
		if p == nil {
			p = &peer{name: c.Name, state: Idle, since: time.Now()}
			e.peers[c.Name] = p
		}
		if p.config == nil {
			e.metrics.begin(c.Name)
		}
		p.configure(c)
		p.retry = time.Time{}
		delete(left, c.Name)
	}
	for name, p := range left {
		if p.config != nil {
			p.config = nil
			e.metrics.forget(name)
		}
	}
	err := e.converge(ctx, changed)
	e.publish(false)
	return err
}

// readLinks notes which interfaces there are.
func (e *engine) readLinks() {
	links, err := e.config.Links()
	lasting, failed := e.config.LastingLinks()
	if err = errors.Join(err, failed); err != nil {
		level.Warn(e.config.Logger).Log("msg", "network interfaces not known", "error", err)
		return
	}
	before := e.links
	e.links, e.lasting = links, lasting
	for name, s := range e.seekers {
		was, is := linkNamed(before, name), linkNamed(links, name)
		if is != nil && is.Up && (was == nil || !was.Up || linkLocal(was) != linkLocal(is)) {
			token(s.wake)
		}
	}
	for _, p := range e.peers {
		p.backoff, p.retry = 0, time.Time{} // there may be a way now
	}
}

// ordered returns the peers by name.
func (e *engine) ordered() []*peer {
	return slices.SortedFunc(maps.Values(e.peers), func(a, b *peer) int { return strings.Compare(a.name, b.name) })
}

// converge makes sessions and what they announce what they should be: what is
// new before what goes. What has changed since the last time is by peer; a peer
// that is not in good order is compared as a whole.
func (e *engine) converge(ctx context.Context, changed map[string][]wish) error {
	if e.leaving != nil {
		return nil
	}
	now := time.Now()
	peers := e.ordered()
	e.seek(ctx)
	var errs []error
	for _, p := range peers {
		p.liveness.release(now)
		e.plan(p)
		e.compare(p, changed[p.name], now)
	}
	for _, p := range peers {
		errs = append(errs, e.announce(p))
	}
	for _, p := range peers {
		errs = append(errs, e.open(p, now))
	}
	for _, p := range peers {
		errs = append(errs, e.withdraw(p))
	}
	for _, p := range peers {
		e.closeUnfit(p)
	}
	e.watch(ctx)
	e.ward()
	e.arm(now)
	return errors.Join(errs...)
}

// arm sets the timer to the next time that something is tried again.
func (e *engine) arm(now time.Time) {
	var next time.Time
	for _, p := range e.peers {
		p.lack(now)
		for _, at := range p.wakes(now) {
			// What is past was looked at just now.
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	e.timer.Stop()
	if !next.IsZero() {
		e.timer.Reset(time.Until(next))
	}
}

// publish makes what Sessions returns true, and reports a change if it came by
// itself.
func (e *engine) publish(byItself bool) {
	view := make([]record, 0, len(e.want.Sessions))
	for _, p := range e.ordered() {
		if p.config != nil {
			view = append(view, p.record())
			e.metrics.routes.WithLabelValues(p.name).Set(float64(p.sent.len()))
		}
	}
	e.view.Store(&view)
	before := e.told
	e.told = complete(view, e.config.Detector.Status())
	if byItself && !slices.EqualFunc(before, e.told, Status.alike) {
		token(e.changed)
	}
}

// complain logs what nobody else is told.
func (e *engine) complain(err error) {
	level.Warn(e.config.Logger).Log("msg", "bgp not ended in good order", "error", err)
}
