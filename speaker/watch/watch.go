package watch

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// Members are the speakers of the cluster that are known to be alive. All of
// its methods may be called from any goroutine; none but Leave blocks.
type Members interface {
	// SetPeers tells where all speakers are; the own one may be among them.
	SetPeers(peers []Peer)
	// SetKey tells the secret that gossip is encrypted by, at first and when
	// it changes.
	SetKey(secret []byte) error
	// SetLinks tells the others which links this node can announce on.
	SetLinks(links []desired.Link)
	// Claim takes note of claims, at once, and tells the others.
	Claim(claims []desired.Claim)
	// Forget drops the claims of addresses for which keep is false.
	Forget(keep func(netip.Addr) bool)
	// Present has the names of the members, of which some may be silent.
	Present() map[string]bool
	// Alive has the names of the nodes whose speakers are alive, Claims the best
	// claim of each address, and Links what the others that are alive told of
	// their links. All of them are frozen.
	Alive() map[string]bool
	Claims() *desired.Claims
	Links() map[string][]desired.Link
	// Changed gets a token after every change of one of these.
	Changed() <-chan struct{}
	// Settled is closed once the peers have been looked for the first time, and
	// what they know has been learned.
	Settled() <-chan struct{}
	// Leave tells the others that this speaker goes, and waits for that at
	// most as long as the timeout.
	Leave(timeout time.Duration) error
}

// A Sentry finds nodes that fall silent, and tells the members of them.
type Sentry interface {
	// SetMembers tells where the members are, this one included; nil when it
	// leaves. The map is not written to any more.
	SetMembers(members map[string]netip.Addr)
}

// Layer2 answers for addresses on the links of this node.
type Layer2 interface {
	// Set makes want the addresses that are answered for.
	Set(ctx context.Context, want []desired.Layer2Address) error
	// SetFellows tells the Ethernet addresses of the other speakers' nodes, with
	// their names. What those claim is settled by gossip.
	SetFellows(fellows map[[6]byte]string)
	// Drain goes on answering until other stations have claimed the addresses,
	// or ctx ends. Set is not called after it.
	Drain(ctx context.Context) error
	// Led returns the addresses that are answered for.
	Led() []Led
	// Changed gets a token when Led has changed by itself: an address that was
	// given away was taken, or one that another station had is free.
	Changed() <-chan struct{}
	// NextConflict waits until another station is seen to claim an address
	// that is answered for; it returns false when ctx ends first.
	NextConflict(ctx context.Context) (Conflict, bool)
}

// Config is what a World is made from.
type Config struct {
	// Node is the name of the node that the speaker runs on, and Namespace
	// where Herald's own Service and Secrets are.
	Node, Namespace string
	// Class is the spec.loadBalancerClass that is handled beside the unset one.
	Class string
	// GossipAddress is where this speaker listens for the others. Only peers
	// of its family are handed to the members.
	GossipAddress netip.Addr

	Members Members
	Sentry  Sentry
	Layer2  Layer2
	// BGP is nil when there is nothing to announce by it.
	BGP BGP
	// Links lists the network interfaces of this node that it can announce
	// addresses on in layer 2, from any goroutine, and WatchLinks puts a
	// token into changed, which has room for one, whenever they may have
	// changed, until ctx ends.
	Links      func() ([]desired.Link, error)
	WatchLinks func(ctx context.Context, changed chan<- struct{}) error

	Logger     log.Logger
	Registerer prometheus.Registerer
}

// A World is the one object that the speaker reconciles: everything. Add makes
// it follow a cluster; Drain ends its announcements.
type World struct {
	Config
	metrics   *metrics
	publisher *publisher
	// cluster reads from a cache.
	cluster client.Reader

	linksC     chan struct{} // the links may have changed
	urgentC    chan struct{} // a member came or went: do not wait
	backendsC  chan struct{} // EndpointSlices say something else
	conflictsC chan Conflict // seen, and not reported yet

	// configStale and linksStale say that what a pass remembers of them must
	// be read again.
	configStale, linksStale atomic.Bool
	// backends are what the EndpointSlices say.
	backends *backends
	// news are of the Services that a pass is to look at.
	news news
	// stage is that of start, for the probes; began is when the pass that is
	// being made began, in nanoseconds, zero between passes.
	stage, began atomic.Int64

	mu      sync.Mutex // held during a pass
	drained bool       // no pass is made any more
	passes
}

// Passes are what a World remembers from pass to pass. They are read and
// written during a pass alone, with World.mu held.
type passes struct {
	catalogue *catalogue
	computer  desired.Computer
	start     start
	hold      hold
	handover  handover
	heard     heard
	sightings sightings
	recall    recall

	config     *config.Config
	generation string
	// routers refers to the accepted BGPPeers by their names, for events.
	routers  map[string]corev1.ObjectReference
	verdicts map[string]config.Verdict // of objects that are not valid

	links    []desired.Link
	networks networks // what the links led to
	peers    []Peer
	key      []byte
	fellows  map[[6]byte]string
	watched  map[string]netip.Addr // what Sentry was told
	alive    map[string]bool       // at the last pass,
	changed  time.Time             // when that was new
	forgot   time.Time             // when claims were last looked through

	announced []desired.Layer2Address
	told      desired.BGP       // what BGP was set to last
	troubles  map[string]string // the error of a step that was logged last
	backoff   time.Duration     // until the next pass after a failure
	budget    budget            // for passes without hurry
}

// New returns a World that follows nothing yet; see Add.
func New(c Config) *World {
	w := &World{
		Config:     c,
		metrics:    newMetrics(c.Registerer),
		linksC:     make(chan struct{}, 1),
		urgentC:    make(chan struct{}, 1),
		backendsC:  make(chan struct{}, 1),
		conflictsC: make(chan Conflict, maxSightings),
	}
	w.catalogue = newCatalogue(func(class *string) bool { return handles(c.Class, class) })
	w.backends = newBackends(w.serviceName(), c.GossipAddress, func(service types.NamespacedName) {
		if w.heardOfBackends(service) {
			hurry(w.backendsC)
		}
	})
	w.troubles = map[string]string{}
	w.configStale.Store(true)
	w.linksStale.Store(true)
	return w
}

// handles reports whether Services with the given spec.loadBalancerClass, nil
// when it is not set, are handled by a speaker for class: those of that class,
// and those that have none.
func handles(class string, of *string) bool { return of == nil || *of == class }

// stuckAfter is how long a pass may take before the speaker counts as stuck.
const stuckAfter = time.Minute

// Live is the liveness probe: it fails when a pass does not end. It does not
// depend on the API, whose absence must not restart speakers.
func (w *World) Live(*http.Request) error {
	began := w.began.Load()
	if began == 0 {
		return nil
	}
	if took := time.Since(time.Unix(0, began)); took > stuckAfter {
		return stuckError(took)
	}
	return nil
}

// Keyed is the part of the readiness probe that fails until the gossip key has
// been found.
func (w *World) Keyed(*http.Request) error {
	if s := stage(w.stage.Load()); s < stageSettle {
		return notReadyError{stage: s, secret: w.secretName()}
	}
	return nil
}

// Ready is the readiness probe: it fails until announcements follow the
// cluster, with what is awaited, and never again after that.
func (w *World) Ready(*http.Request) error {
	if s := stage(w.stage.Load()); s != stageOpen {
		return notReadyError{stage: s, secret: w.secretName()}
	}
	return nil
}
