package sentry

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/bfd"
)

// The pace of BFD unless Config says otherwise.
const (
	DefaultInterval   = 50 * time.Millisecond
	DefaultMultiplier = 3
)

// Config is what a Sentry is made of.
type Config struct {
	// Node is the name of the node that this speaker runs on, Addr its address
	// for gossip.
	Node string
	Addr netip.Addr
	// Port is that of gossip: its TCP side is asked for a sign of life. BFD has
	// the next one, UDP. Both are the same at every speaker.
	Port int
	// Interval is between two BFD packets, Multiplier how many in a row may be
	// missed. Zero is the default. Every speaker should have the same, as of two
	// intervals the longer one counts.
	Interval   time.Duration
	Multiplier uint8

	// Logger may be nil, and so may Registerer.
	Logger     log.Logger
	Registerer prometheus.Registerer
}

// A Sentry knows which of the nodes that it watches are silent. Its methods may
// be called from any goroutine, before Start as well as during it.
type Sentry struct {
	config  Config
	logger  log.Logger
	metrics *metrics
	watcher watcher
	// ask asks the kernel of a node; replaced in tests.
	ask func(local netip.Addr, remote netip.AddrPort) outcome

	changedC chan struct{} // capacity 1
	wakeC    chan struct{} // capacity 1: there are other members

	mu      sync.Mutex
	members map[string]netip.Addr

	view atomic.Pointer[view]
}

// A view is what a Sentry tells. It is frozen.
type view struct {
	silent []string
	alone  bool
}

// A watcher keeps sessions with other nodes and tells how they are.
type watcher interface {
	Start(ctx context.Context) error
	Set(ctx context.Context, want []bfd.Session) error
	Status() []bfd.Status
	Changed() <-chan struct{}
}

var _ watcher = (*bfd.Manager)(nil)

// New returns a Sentry that watches nobody; see Start.
func New(c Config) *Sentry {
	if c.Logger == nil {
		c.Logger = log.NewNopLogger()
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Multiplier == 0 {
		c.Multiplier = DefaultMultiplier
	}
	c.Addr = c.Addr.Unmap()
	s := &Sentry{
		config:   c,
		logger:   c.Logger,
		metrics:  newMetrics(c.Registerer),
		ask:      kernelAnswers,
		changedC: make(chan struct{}, 1),
		wakeC:    make(chan struct{}, 1),
	}
	// Its metrics would be those of the sessions with routers as well.
	s.watcher = bfd.New(bfd.Config{Node: c.Node, MultihopPort: uint16(c.Port + 1), Logger: c.Logger})
	s.view.Store(new(view))
	return s
}

// Start watches the members until ctx ends; then every session is closed in
// good order, nobody is silent, and it returns nil. It is called once.
func (s *Sentry) Start(ctx context.Context) error {
	if s.config.Port < 1 || s.config.Port > 65534 {
		return fmt.Errorf("gossip port %d: want 1 to 65534, as the next one is for failure detection", s.config.Port)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	var err error // of the watcher, once it has ended
	go func() {
		defer close(ended)
		err = s.watcher.Start(ctx)
	}()
	p := newPost(s)
	p.run(ctx, ended)
	cancel()
	<-ended
	p.asked.Wait()
	s.publish(view{})
	return err
}

// SetMembers tells the members and their addresses, this node included: without
// it, as after it left, nobody is watched. Silent ones must be among them until
// the members themselves bury them, or they are not silent any more. The map
// must not be written to any more.
func (s *Sentry) SetMembers(members map[string]netip.Addr) {
	s.mu.Lock()
	s.members = members
	s.mu.Unlock()
	token(s.wakeC)
}

// Silent returns the names of the nodes that are silent, sorted. The slice must
// not be written to.
func (s *Sentry) Silent() []string { return s.view.Load().silent }

// Alone reports whether several watched nodes have ceased to be heard and no
// other one is heard: most likely it is this node that is deaf. Silent is what
// it sees all the same, but the other speakers should not be told: one that
// hears nobody may still be heard.
func (s *Sentry) Alone() bool { return s.view.Load().alone }

// Changed returns a channel, always the same, that holds a token after Silent
// or Alone has changed.
func (s *Sentry) Changed() <-chan struct{} { return s.changedC }

// publish makes v what is told. Only the goroutine of Start calls it.
func (s *Sentry) publish(v view) {
	old := s.view.Load()
	if old.alone == v.alone && slices.Equal(old.silent, v.silent) {
		return
	}
	s.view.Store(&v)
	token(s.changedC)
}

// plan returns the nodes to be watched, with their addresses.
func (s *Sentry) plan() map[string]netip.Addr {
	s.mu.Lock()
	members := s.members
	s.mu.Unlock()
	out := map[string]netip.Addr{}
	used := map[netip.Addr]bool{s.config.Addr: true}
	for _, n := range fellows(s.config.Node, slices.Sorted(maps.Keys(members))) {
		a := members[n].Unmap()
		if !a.IsValid() || used[a] {
			continue // a node under two names: members know it until one is buried
		}
		used[a] = true
		out[n] = a
	}
	return out
}

// session returns that with a node. Gossip crosses routers, and so does this:
// the TTL keeps strangers out who are further away than a large site is wide.
func (s *Sentry) session(node string, addr netip.Addr) bfd.Session {
	return bfd.Session{
		Name: node, Local: s.config.Addr, Remote: addr, Multihop: true,
		Profile: bfd.Profile{
			Transmit: s.config.Interval, Receive: s.config.Interval,
			Multiplier: s.config.Multiplier, MinimumTTL: minimumTTL,
		},
	}
}

// minimumTTL is what is left of 255 behind five routers.
const minimumTTL = 250

// token puts a token into a channel that has room for one.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
