package layer2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/internal/owner"
	"github.com/heraldlb/herald/speaker/desired"
)

// Config is what an Announcer is made of. Registerer may be nil.
type Config struct {
	Logger     log.Logger
	Registerer prometheus.Registerer
	// Probe is true if addresses that are Fresh are probed for before they are
	// announced.
	Probe bool
}

// An Announcer answers for addresses on this host's interfaces. Its methods may
// be called from any goroutine.
type Announcer struct {
	logger  log.Logger
	metrics *metrics
	network network
	probing bool

	requests   *owner.Requests[func(*engine) error]
	conflicts  chan Conflict
	led        atomic.Pointer[[]Led]      // frozen
	contested  atomic.Pointer[[]Conflict] // frozen
	fellows    atomic.Pointer[fellows]
	acquainted chan struct{} // has a token when fellows is another one; capacity 1
	changed    chan struct{} // capacity 1
}

// fellows are the nodes of other speakers by hardware address. Frozen.
type fellows map[mac]string

// A Led is an address that this node answers for. It is never written after it
// is made.
type Led struct {
	Address netip.Addr
	// Interfaces are those that it is answered on, sorted.
	Interfaces []string
	// Since is when this node began to answer for it.
	Since time.Time
}

// A Conflict says that a station that is no fellow speaker was seen to claim an
// address that this node announces, or is about to.
type Conflict struct {
	Address   netip.Addr
	MAC       string
	Interface string
	At        time.Time
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
		logger:     c.Logger,
		metrics:    newMetrics(c.Registerer),
		network:    n,
		probing:    c.Probe,
		requests:   owner.New[func(*engine) error](errEnded),
		conflicts:  make(chan Conflict, 64),
		acquainted: make(chan struct{}, 1),
		changed:    make(chan struct{}, 1),
	}
	a.led.Store(&[]Led{})
	a.contested.Store(&[]Conflict{})
	a.fellows.Store(&fellows{})
	return a
}

// Start serves until ctx ends; then nothing is answered any more, every socket
// is closed, and it returns nil. It returns an error if it cannot begin. It is
// called once.
func (a *Announcer) Start(ctx context.Context) error {
	defer a.requests.End()
	return newEngine(a).run(ctx)
}

// Set makes want the set of addresses that are answered, and announces those
// that have come. It waits for Start. An interface that does not exist, or that
// cannot be used, is an error, and every other interface is served; it is tried
// again at the next Set, and as soon as the interface appears. When ctx ends
// first, the set may still be applied. No address is in want twice.
//
// An address that is Fresh is probed for first, and not answered until it was
// found free. One that is to Yield is answered as long as it was, not announced
// any more, and dropped on each interface where another station is seen to claim
// it, which may have been up to a second before; then it is not taken up again
// until it is not to yield any more.
func (a *Announcer) Set(ctx context.Context, want []desired.Layer2Address) error {
	return a.requests.Do(ctx, func(e *engine) error { return e.set(want) })
}

// Drain is a graceful end: every address yields. When each has been claimed by
// another station, or when ctx ends, it stops. It returns an error if ctx ended
// before every address had been claimed. Set must not be called after it.
func (a *Announcer) Drain(ctx context.Context) error {
	var empty <-chan struct{}
	err := a.requests.Do(ctx, func(e *engine) error {
		empty = e.drain(time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-empty:
		return nil
	case <-a.requests.Ended():
		return nil
	case <-ctx.Done():
	}
	left := 0
	_ = a.requests.Do(context.WithoutCancel(ctx), func(e *engine) error {
		left = e.left()
		e.want = nil
		return e.apply(e.known())
	})
	return fmt.Errorf("hand over addresses: %d not claimed by another node: %w", left, context.Cause(ctx))
}

// SetFellows tells which hardware addresses belong to other speakers, and to
// which node. What they claim is no conflict, and nothing is defended against
// them; who of them has an address is settled elsewhere.
func (a *Announcer) SetFellows(nodes map[[6]byte]string) {
	known := make(fellows, len(nodes))
	for m, node := range nodes {
		known[m] = node
	}
	if old := a.fellows.Swap(&known); maps.Equal(*old, known) {
		return
	}
	select {
	case a.acquainted <- struct{}{}:
	default:
	}
}

// Led returns the addresses that this node answers for now, those that yield
// among them, sorted. It must not be written to.
func (a *Announcer) Led() []Led { return *a.led.Load() }

// Contested returns the addresses that this node should answer for on an
// interface and does not, because another station was found to have them when
// they were probed for, sorted. They are probed for again, about every ten
// seconds. It must not be written to.
func (a *Announcer) Contested() []Conflict { return *a.contested.Load() }

// Changed returns a channel that has a token after Led or Contested have changed
// by themselves: not by Set, but because an address was claimed or found free, or
// an interface has come or gone.
func (a *Announcer) Changed() <-chan struct{} { return a.changed }

// Conflicts returns a channel of what was seen of other stations that claim our
// addresses: for one address on one interface at most once in ten seconds. If
// nobody receives, conflicts are dropped.
func (a *Announcer) Conflicts() <-chan Conflict { return a.conflicts }
