package assign

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
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

// A pacer is a recorder that hands events to another one at a bounded rate, in
// their order, when no status is being written.
type pacer struct {
	to      events.EventRecorder
	traffic *traffic
	limit   flowcontrol.RateLimiter
	// wakeC has a token when waiting may have got longer.
	wakeC chan struct{}

	mu      sync.Mutex
	waiting []func()
}

var _ events.EventRecorder = (*pacer)(nil)

// newPacer returns a pacer, which sends nothing before it is started.
func newPacer(to events.EventRecorder, f *traffic) *pacer {
	return &pacer{to: to, traffic: f, limit: flowcontrol.NewTokenBucketRateLimiter(eventRate, eventBurst), wakeC: make(chan struct{}, 1)}
}

// Eventf implements events.EventRecorder. It may be called by several at once,
// and does not wait.
func (p *pacer) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) { //nolint:revive // the interface has so many
	regarding, text := withoutContent(regarding), fmt.Sprintf(note, args...)
	p.mu.Lock()
	if len(p.waiting) < maxEvents {
		p.waiting = append(p.waiting, func() { p.to.Eventf(regarding, related, eventType, reason, action, "%s", text) })
	}
	p.mu.Unlock()
	select {
	case p.wakeC <- struct{}{}:
	default: // it is awake
	}
}

// withoutContent keeps of a Service only what an event names it by: thousands
// may wait.
func withoutContent(obj runtime.Object) runtime.Object {
	s, ok := obj.(*corev1.Service)
	if !ok {
		return obj
	}
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion,
	}}
}

// NeedLeaderElection tells the manager to start this in every process.
func (p *pacer) NeedLeaderElection() bool { return false }

// Start hands events on until ctx ends, and then at once what still waits. It
// implements manager.Runnable.
func (p *pacer) Start(ctx context.Context) error {
	for {
		send := p.next()
		if send == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-p.wakeC:
				continue
			}
		}
		// An error means that ctx ends, and that it is time to be quick.
		_ = p.limit.Wait(ctx)
		p.awaitCalm(ctx)
		send()
	}
}

// awaitCalm waits until no statuses are written, or there is no more patience.
func (p *pacer) awaitCalm(ctx context.Context) {
	end := time.Now().Add(eventPatience)
	for {
		wait := min(p.traffic.calmIn(), time.Until(end))
		if wait <= 0 || !pause(ctx, wait) {
			return
		}
	}
}

// next returns the event that has waited longest, or nil.
func (p *pacer) next() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.waiting = nil // let go of what a burst needed
		return nil
	}
	send := p.waiting[0]
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	return send
}
