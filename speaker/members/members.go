package members

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/ledger"
)

// Config is what a List is made of.
type Config struct {
	// Node is the name of the node that this speaker runs on.
	Node string
	// Addr is where to listen, and what the others are told; Port is the same
	// at every speaker, for TCP and UDP.
	Addr netip.Addr
	Port int
	// Label separates clusters that share a network; it may be empty.
	Label string
	// Profile says how fast and how steady; zero is LANFast. It should be the
	// same at every speaker.
	Profile Profile

	// Logger may be nil, and so may Registerer.
	Logger     log.Logger
	Registerer prometheus.Registerer
}

// A Peer is a speaker that should be there: the name of its node, and where it
// listens.
type Peer struct {
	Node string
	Addr netip.Addr
}

// A List knows which speakers are alive. Its methods may be called from any
// goroutine, before Start as well as during it.
type List struct {
	config  Config
	logger  log.Logger
	metrics *metrics
	pace    pace
	// transport replaces that of memberlist in tests.
	transport func(*memberlist.Config) (memberlist.Transport, error)

	changedC chan struct{} // capacity 1
	settledC chan struct{}
	wakeC    chan struct{} // capacity 1: something is new for the owner of the state

	mu    sync.Mutex // guards what has been told
	key   *key       // nil: none yet
	peers []Peer
	told  bool // whether peers have been

	book       *book
	complaints complaints
	urgentC    chan struct{} // capacity 1: something is urgent in the book
	sendMu     sync.Mutex    // held while what is urgent is sent
	synced     atomic.Bool   // what others know is known here

	publishMu sync.Mutex                      // held while these are replaced
	present   atomic.Pointer[map[string]bool] // members, silent or not
	alive     atomic.Pointer[map[string]bool]
	records   atomic.Pointer[map[string]ledger.Record]

	left atomic.Bool
	// gossipMu is held to begin, to leave and to end; gossip is nil before the
	// first and after the last.
	gossipMu sync.Mutex
	gossip   *memberlist.Memberlist
}

// A key is what gossip is encrypted by.
type key [sha256.Size]byte

// errNoSecret is what SetKey says to an empty secret.
var errNoSecret = errors.New("gossip key: secret is empty")

// New returns a List in which this speaker alone is alive; see Start.
func New(c Config) *List {
	if c.Logger == nil {
		c.Logger = log.NewNopLogger()
	}
	l := &List{
		config:   c,
		logger:   c.Logger,
		metrics:  newMetrics(c.Registerer),
		pace:     c.Profile.pace(),
		changedC: make(chan struct{}, 1),
		settledC: make(chan struct{}),
		wakeC:    make(chan struct{}, 1),
		urgentC:  make(chan struct{}, 1),
		book:     newBook(c.Node),
	}
	l.complaints = complaints{logger: c.Logger, versions: map[ledger.VersionError]bool{}}
	l.alive.Store(&map[string]bool{c.Node: true})
	l.records.Store(&map[string]ledger.Record{})
	l.publish(map[string]bool{c.Node: true})
	select {
	case <-l.changedC: // nobody has been told otherwise yet
	default:
	}
	return l
}

// Start waits for the first SetKey, then listens, joins the peers, and goes on
// looking for those that are missing. It returns nil once ctx has ended and
// nothing that it began is sent or received any more; the others are not told.
// It returns an error at once when it cannot listen. It is called once.
func (l *List) Start(ctx context.Context) error {
	first, ok := l.awaitKey(ctx)
	if !ok {
		return nil
	}
	ring := newRing(first, l.pace)
	m, err := l.open(ring)
	if err != nil {
		return err
	}
	if m == nil { // left before it began
		<-ctx.Done()
		return nil
	}
	s := newSeeker(l, m, ring)
	s.tries.Go(func() { l.dispatch(ctx, m) })
	s.run(ctx)
	l.end(m)
	s.tries.Wait()
	return nil
}

// SetKey tells the secret whose SHA-256 encrypts the gossip. When it differs
// from the last one the key is rotated, and no member is lost if the others
// learn of it within a few seconds. An empty secret is an error.
func (l *List) SetKey(secret []byte) error {
	if len(secret) == 0 {
		return errNoSecret
	}
	k := key(sha256.Sum256(secret))
	l.mu.Lock()
	l.key = &k
	l.mu.Unlock()
	l.wake()
	return nil
}

// SetPeers tells all the speakers that there should be; this one may be among
// them. Those not named any more are not looked for when they are missing, but
// are not expelled either. The slice must not be written to any more.
func (l *List) SetPeers(peers []Peer) {
	l.mu.Lock()
	l.peers, l.told = peers, true
	l.mu.Unlock()
	l.wake()
}

// Changed returns a channel, always the same, that holds a token after Alive
// or Records have changed, or Claims by what others said.
func (l *List) Changed() <-chan struct{} { return l.changedC }

// Settled returns a channel that is closed once Alive, Claims and Records can
// be trusted after a start: the peers have been told, each has been joined, or
// has not answered, and what they knew is known here, if anybody answered.
// Somebody who does not answer is asked once if another one has told what the
// others know, and a few times if nobody has. It is never closed without a key.
func (l *List) Settled() <-chan struct{} { return l.settledC }

// Leave tells the others that this speaker goes, after what it claimed. When it
// returns Alive lacks this node, even if it returns an error, which it does when
// the message has not been sent within the timeout. The others are followed
// until the ctx of Start ends, but nobody is joined any more. What is claimed
// afterwards is told as before.
func (l *List) Leave(timeout time.Duration) error {
	l.left.Store(true)
	l.gossipMu.Lock()
	defer l.gossipMu.Unlock()
	if l.gossip == nil {
		rest := maps.Clone(l.Present())
		delete(rest, l.config.Node)
		l.publish(rest)
		return nil
	}
	l.flush(l.gossip)
	err := l.gossip.Leave(max(timeout, time.Millisecond)) // zero would be forever
	l.publish(aliveOf(l.gossip))
	if err != nil {
		return fmt.Errorf("tell %d members: %w", len(l.Alive()), err)
	}
	return nil
}

// awaitKey waits for the first SetKey; ok is false when ctx ends first.
func (l *List) awaitKey(ctx context.Context) (k key, ok bool) {
	for {
		if k := l.wanted().key; k != nil {
			return *k, true
		}
		select {
		case <-ctx.Done():
			return key{}, false
		case <-l.wakeC:
		}
	}
}

// open begins to listen. It returns nil, nil after Leave.
func (l *List) open(r *ring) (*memberlist.Memberlist, error) {
	l.gossipMu.Lock()
	defer l.gossipMu.Unlock()
	if l.left.Load() {
		return nil, nil
	}
	at := netip.AddrPortFrom(l.config.Addr, uint16(l.config.Port))
	c := tune(l.config, len(l.wanted().peers))
	c.Keyring = r.keys
	c.Events = events{wake: l.wake}
	c.Delegate = delegate{list: l}
	c.Logger = newLines(l.logger)
	if l.transport != nil {
		t, err := l.transport(c)
		if err != nil {
			return nil, fmt.Errorf("listen for gossip on %v: %w", at, err)
		}
		c.Transport = t
	}
	m, err := memberlist.Create(c)
	if err != nil {
		return nil, fmt.Errorf("listen for gossip on %v: %w", at, err)
	}
	l.gossip = m
	return m, nil
}

// end stops to listen, without a word to the others.
func (l *List) end(m *memberlist.Memberlist) {
	l.gossipMu.Lock()
	defer l.gossipMu.Unlock()
	l.gossip = nil
	if err := m.Shutdown(); err != nil {
		level.Warn(l.logger).Log("msg", "gossip not shut down", "error", err)
	}
}

// wake has the owner of the state look at what is new.
func (l *List) wake() { token(l.wakeC) }

// token puts a token into a channel that has room for one.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// A wish is all that a List has been told.
type wish struct {
	key   *key
	peers []Peer
	told  bool
}

// wanted returns what has been told last.
func (l *List) wanted() wish {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wish{key: l.key, peers: l.peers, told: l.told}
}
