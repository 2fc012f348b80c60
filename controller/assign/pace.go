package assign

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/reference"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/pause"
)

// How many events are sent a second, and how many at once after a rest. People
// read them; Services wait for the statuses, and in a burst those must not
// queue behind events at the API server.
const (
	eventRate  = 100
	eventBurst = 20
)

// Events wait until no status has been written for calm, but each that is next
// no longer than patience: where there is always something to write, events
// follow slowly.
const (
	calm          = 50 * time.Millisecond
	eventPatience = 500 * time.Millisecond
)

// maxEvents is how many events may wait. Those beyond are not sent: a
// condition still says what each would have said.
const maxEvents = 20000

// An event that the API server cannot take is written again after eventRetry,
// up to eventTries times in all. A process that ends goes on writing for
// lastWords.
const (
	eventRetry = time.Second
	eventTries = 60
	lastWords  = 2 * time.Second
)

// traffic knows whether statuses are being written. The zero traffic is calm.
type traffic struct {
	mu      sync.Mutex
	writing int
	last    time.Time // when the last write ended
}

// begin notes that a write begins, and returns what notes its end.
func (f *traffic) begin() (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.writing--
		f.last = time.Now()
	}
}

// calmIn returns how long it takes at least until it is calm; zero when it is.
func (f *traffic) calmIn() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writing > 0 {
		return calm
	}
	return max(0, calm-time.Since(f.last))
}

// A teller takes events, to be written some time. It does not wait.
type teller interface {
	// tell tells something of an object; of e only the words need be there.
	tell(regarding client.Object, e kube.Event)
}

// A pacer is a teller that writes events at a bounded rate, in their order,
// when no status is being written.
type pacer struct {
	write   func(context.Context, kube.Event) error
	scheme  *runtime.Scheme
	traffic *traffic
	limit   flowcontrol.RateLimiter
	// wakeC has a token when waiting may have got longer.
	wakeC chan struct{}

	mu      sync.Mutex
	waiting []kube.Event
}

var _ teller = (*pacer)(nil)

// newPacer returns a pacer, which writes nothing before it is started.
func newPacer(write func(context.Context, kube.Event) error, s *runtime.Scheme, f *traffic) *pacer {
	return &pacer{
		write: write, scheme: s, traffic: f,
		limit: flowcontrol.NewTokenBucketRateLimiter(eventRate, eventBurst), wakeC: make(chan struct{}, 1),
	}
}

// tell implements teller. It may be called by several at once. The object is
// not kept: thousands may wait.
func (p *pacer) tell(regarding client.Object, e kube.Event) {
	ref, err := reference.GetReference(p.scheme, regarding)
	if err != nil {
		panic("assign: event of an object of no kind: " + err.Error())
	}
	e.Regarding, e.At = *ref, time.Now()
	p.mu.Lock()
	if len(p.waiting) < maxEvents {
		p.waiting = append(p.waiting, e)
	}
	p.mu.Unlock()
	select {
	case p.wakeC <- struct{}{}:
	default: // it is awake
	}
}

// NeedLeaderElection tells the manager to start this in every process.
func (p *pacer) NeedLeaderElection() bool { return false }

// Start writes events until ctx ends, and then for lastWords, without any
// pause, what still waits. It implements manager.Runnable.
func (p *pacer) Start(ctx context.Context) error {
	tries := 0
	for e, ok := p.due(ctx); ok; e, ok = p.due(ctx) {
		if tries++; p.write(ctx, e) != nil && tries < eventTries {
			pause.For(ctx, eventRetry)
			continue
		}
		p.done()
		tries = 0
	}
	p.flush(context.WithoutCancel(ctx))
	return nil
}

// due waits until an event may be written, and returns it; it reports false when
// ctx ends first.
func (p *pacer) due(ctx context.Context) (kube.Event, bool) {
	for ctx.Err() == nil {
		e, ok := p.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-p.wakeC:
			}
			continue
		}
		_ = p.limit.Wait(ctx) // an error means that ctx ends
		p.awaitCalm(ctx)
		return e, ctx.Err() == nil
	}
	return kube.Event{}, false
}

// flush writes what waits, as far as it gets in lastWords.
func (p *pacer) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for {
		e, ok := p.next()
		if !ok || ctx.Err() != nil || p.write(ctx, e) != nil {
			return
		}
		p.done()
	}
}

// awaitCalm waits until no statuses are written, or there is no more patience.
func (p *pacer) awaitCalm(ctx context.Context) {
	end := time.Now().Add(eventPatience)
	for {
		wait := min(p.traffic.calmIn(), time.Until(end))
		if wait <= 0 || !pause.For(ctx, wait) {
			return
		}
	}
}

// next returns the event that has waited longest, if there is one.
func (p *pacer) next() (kube.Event, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.waiting = nil // let go of what a burst needed
		return kube.Event{}, false
	}
	return p.waiting[0], true
}

// done takes off the event that next returned.
func (p *pacer) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[0] = kube.Event{}
	p.waiting = p.waiting[1:]
}
