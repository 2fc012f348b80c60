package bgp

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/internal/owner"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// Config is what an Announcer is made of. Registerer may be nil.
type Config struct {
	// Node is the name of this node.
	Node   string
	Router Router
	// Links returns the network interfaces of the node.
	Links func() ([]desired.Link, error)
	// LastingLinks returns them without addresses that should be no next hops while
	// there are others; nil for Links.
	LastingLinks func() ([]desired.Link, error)
	// WatchLinks puts a token into changed at the start and whenever Links may
	// have changed, until ctx ends. When it is nil, Links is called at every Set.
	WatchLinks func(ctx context.Context, changed chan<- struct{}) error
	// Detector watches the paths to routers; nil for a bfd.Manager.
	Detector Detector

	Logger     log.Logger
	Registerer prometheus.Registerer
}

// A Detector tells when the path to a router does not work any more. The
// Announcer starts it, and ends it after the last session has ended.
type Detector interface {
	Start(ctx context.Context) error
	Set(ctx context.Context, want []bfd.Session) error
	Status() []bfd.Status
	Changed() <-chan struct{}
	Hush()
}

var _ Detector = (*bfd.Manager)(nil)

// An Announcer keeps sessions with routers and announces prefixes on them. Its
// methods may be called from any goroutine.
type Announcer struct {
	config   Config // complete
	metrics  *metrics
	network  network
	requests *owner.Requests[task]
	mail     *mailbox
	changed  chan struct{}                   // capacity 1
	view     atomic.Pointer[[]record]        // frozen
	wards    atomic.Pointer[map[string]ward] // frozen
}

// A task is for the goroutine that owns the state; ctx ends with Start.
type task func(ctx context.Context, e *engine) error

var (
	// errEnded is what a call after the end of Start gets.
	errEnded = errors.New("bgp announcer has ended")
	// errLeft is what Set gets after Leave.
	errLeft = errors.New("bgp announcer has left")
)

// New returns an Announcer without sessions, which does nothing until Start.
func New(c Config) *Announcer { return newAnnouncer(c, host{}) }

func newAnnouncer(c Config, n network) *Announcer {
	if c.Logger == nil {
		c.Logger = log.NewNopLogger()
	}
	if c.LastingLinks == nil {
		c.LastingLinks = c.Links
	}
	if c.Detector == nil {
		c.Detector = bfd.New(bfd.Config{Node: c.Node, Logger: c.Logger, Registerer: c.Registerer})
	}
	a := &Announcer{
		config:   c,
		metrics:  newMetrics(c.Registerer),
		network:  n,
		requests: owner.New[task](errEnded),
		mail:     newMailbox(),
		changed:  make(chan struct{}, 1),
	}
	a.view.Store(&[]record{})
	a.wards.Store(&map[string]ward{})
	return a
}

// Start serves until ctx ends. Sessions that are left then end as by Leave with
// keep, at once. It returns nil when everything that it began has ended. It is
// called once.
func (a *Announcer) Start(ctx context.Context) error {
	defer a.requests.End()
	return newEngine(a).run(ctx)
}

// Set makes want what is said to routers. Only what differs from what was said
// before is sent, to those that it concerns; a session whose settings changed is
// closed and opened again, and no other one. It waits for Start, and not until
// routers have heard; see Session for how long it may wait for one. What cannot be
// done to one session is an error and stops no other; it is tried again at the next
// Set and by itself. A router that cannot be reached is no error, its Status says
// why. want must not be written to afterwards. When ctx ends first, want may still
// be applied.
func (a *Announcer) Set(ctx context.Context, want desired.BGP) error {
	return a.requests.Do(ctx, func(ctx context.Context, e *engine) error { return e.set(ctx, want) })
}

// Sessions returns the sessions that are wanted, sorted by name of the peer.
func (a *Announcer) Sessions() []Status { return complete(*a.view.Load(), a.config.Detector.Status()) }

// Changed returns a channel, always the same, that has a token after Sessions
// have changed by themselves, not by Set: one came up or went down, for another
// reason than before, or its BFD session did.
func (a *Announcer) Changed() <-chan struct{} { return a.changed }

// How long Leave waits at most, about 2.7 seconds in all.
const (
	// inTime is for everything, also for an Announcer that is busy.
	inTime = 4 * time.Second
	// preferOthers is for routers to take another node's routes: an UPDATE, the
	// choice and the forwarding table take them milliseconds, and more with ten
	// thousand routes.
	preferOthers = time.Second
	// hearOut is for the withdrawals to be sent before the session closes.
	hearOut = 200 * time.Millisecond
	// partIn is for all sessions to close; each has a second.
	partIn = 1500 * time.Millisecond
)

// Leave ends all sessions, and Set must not be called after it. With keep, a
// router with which graceful restart was negotiated keeps the routes of this
// node, which is about to come back (RFC 4724). For others, and for all without
// keep, the routes are first announced with the community GRACEFUL_SHUTDOWN and
// the least local preference (RFC 8326), so that routers choose other nodes;
// after a second they are withdrawn, and the sessions closed with a CEASE. When
// ctx ends the rest is done without waiting.
func (a *Announcer) Leave(ctx context.Context, keep bool) error {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), inTime)
	defer cancel()
	lowered := false
	step := func(run task) error { return a.requests.Do(late, run) }
	err := step(func(_ context.Context, e *engine) (err error) {
		lowered, err = e.lower(keep)
		return err
	})
	if errors.Is(err, errEnded) || late.Err() != nil {
		return err
	}
	if lowered {
		pause.For(ctx, preferOthers)
		err = errors.Join(err, step(func(_ context.Context, e *engine) error { return e.recall() }))
		pause.For(ctx, hearOut)
	}
	var parted <-chan struct{}
	err = errors.Join(err, step(func(_ context.Context, e *engine) error {
		parted = e.part()
		return nil
	}))
	timeout := time.NewTimer(partIn)
	defer timeout.Stop()
	select {
	case <-parted:
	case <-timeout.C:
		err = errors.Join(err, errors.New("close bgp sessions: not done in time"))
	case <-a.requests.Ended():
	}
	return errors.Join(err, step(func(ctx context.Context, e *engine) error { return e.fallSilent(ctx) }))
}

// token puts a token into a channel that has room for one.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
