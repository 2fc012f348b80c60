package layer2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/desired"
)

// Config is what an Announcer is made of. Registerer may be nil.
type Config struct {
	Logger     log.Logger
	Registerer prometheus.Registerer
}

// An Announcer answers for addresses on this host's interfaces. Its methods may
// be called from any goroutine.
type Announcer struct {
	logger  log.Logger
	metrics *metrics
	network network

	requests  chan request
	conflicts chan Conflict
	led       atomic.Pointer[[]Led] // frozen
	ended     chan struct{}         // closed when Start has returned
}

// A Led is an address that this node answers for. It is never written after it
// is made.
type Led struct {
	Address netip.Addr
	// Interfaces are those that it is answered on, sorted.
	Interfaces []string
	// Since is when this node began to answer for it.
	Since time.Time
}

// A Conflict says that another station was seen to claim an address that this
// node answers for. Fellow speakers do that for a moment when they take over.
type Conflict struct {
	Address   netip.Addr
	MAC       string
	Interface string
	At        time.Time
}

// A request is a function for the goroutine that owns the state.
type request struct {
	run  func(e *engine) error
	done chan error // capacity 1
}

// errEnded is what a call after the end of Start gets.
var errEnded = errors.New("layer 2 announcer has ended")

// New returns an Announcer that announces nothing until Start.
func New(c Config) *Announcer { return newAnnouncer(c, host{}) }

func newAnnouncer(c Config, n network) *Announcer {
	if c.Logger == nil {
		c.Logger = log.NewNopLogger()
	}
	a := &Announcer{
		logger:    c.Logger,
		metrics:   newMetrics(c.Registerer),
		network:   n,
		requests:  make(chan request),
		conflicts: make(chan Conflict, 64),
		ended:     make(chan struct{}),
	}
	a.led.Store(&[]Led{})
	return a
}

// Start serves until ctx ends; then nothing is answered any more, every socket
// is closed, and it returns nil. It returns an error if it cannot begin. It is
// called once.
func (a *Announcer) Start(ctx context.Context) error {
	defer close(a.ended)
	return newEngine(a).run(ctx)
}

// Set makes want the set of addresses that are answered, and announces those
// that have come. It waits for Start. An interface that does not exist, or that
// cannot be used, is an error, and every other interface is served; it is tried
// again at the next Set, and as soon as the interface appears. When ctx ends
// first, the set may still be applied.
func (a *Announcer) Set(ctx context.Context, want []desired.Layer2Address) error {
	return a.do(ctx, func(e *engine) error { return e.set(want) })
}

// Drain is a graceful end. It announces nothing any more, but goes on answering
// for each address on each interface until another station is seen to claim it
// there, which may have been up to a second before; then, or when ctx ends, it
// stops. It returns an error if ctx ended before every address had been claimed.
// Set must not be called after it.
func (a *Announcer) Drain(ctx context.Context) error {
	var empty <-chan struct{}
	err := a.do(ctx, func(e *engine) error {
		empty = e.drain(time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-empty:
		return nil
	case <-a.ended:
		return nil
	case <-ctx.Done():
	}
	left := 0
	_ = a.do(context.WithoutCancel(ctx), func(e *engine) error {
		left = e.left()
		return e.apply(nil)
	})
	return fmt.Errorf("hand over addresses: %d not claimed by another node: %w", left, context.Cause(ctx))
}

// Led returns the addresses that this node answers for now, sorted. It must not
// be written to.
func (a *Announcer) Led() []Led { return *a.led.Load() }

// Conflicts returns a channel of what was seen of other stations that claim our
// addresses: for one address on one interface at most once in ten seconds. If
// nobody receives, conflicts are dropped.
func (a *Announcer) Conflicts() <-chan Conflict { return a.conflicts }

// do has the owner of the state run a function.
func (a *Announcer) do(ctx context.Context, run func(e *engine) error) error {
	r := request{run: run, done: make(chan error, 1)}
	select {
	case a.requests <- r:
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}
