package watch

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/pause"
)

// Bounds on what a publisher writes.
const (
	publishGap     = time.Second      // between two writes of the status
	publishRetry   = 30 * time.Second // between two attempts that fail, at most
	publishCheck   = 5 * time.Minute  // between two looks at what the API has
	publishTimeout = 10 * time.Second // of one request
	noticeBatch    = 100              // events between two writes of the status
)

// An EventWriter writes events. An error means that the same is to be written
// again.
type EventWriter interface {
	Write(ctx context.Context, e kube.Event) error
}

var _ EventWriter = (*kube.Events)(nil)

// A publisher writes the speaker's SpeakerStatus and the events that follow
// from it, in a goroutine of its own: an API server that is slow or away must
// never keep a pass waiting. It writes changes only, the status at most once a
// second and more rarely the longer it is.
type publisher struct {
	node    string
	client  client.Client // reads past the cache
	events  EventWriter
	logger  log.Logger
	metrics *metrics

	latest atomic.Pointer[report]
	poke   chan struct{}

	// What follows belongs to the goroutine of Start.

	// object is what the API has, nil when that is not known.
	object *v1beta1.SpeakerStatus
	// told is the status that events have been made for, nil before the first.
	told *v1beta1.SpeakerStatusStatus
	// roll has the sessions that events have been made for.
	roll    roll
	pending []kube.Event
	trouble string // the error that was logged last
}

// newPublisher returns the publisher of a World. The client must read past the
// cache.
func newPublisher(w *World, c client.Client, events EventWriter) *publisher {
	return &publisher{
		node: w.Node, client: c, events: events, logger: w.Logger, metrics: w.metrics,
		poke: make(chan struct{}, 1),
	}
}

// publish hands the latest report over. It never blocks.
func (p *publisher) publish(r *report) {
	p.latest.Store(r)
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// Start writes until ctx ends.
func (p *publisher) Start(ctx context.Context) error {
	wait, failed := publishCheck, time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.poke:
		case <-time.After(wait):
			if wait == publishCheck {
				p.object = nil // look at what the API has
			}
		}
		r := p.latest.Load()
		if r == nil {
			continue
		}
		gap := publishGap + time.Duration(len(r.status.Layer2))*time.Millisecond
		switch err := p.write(ctx, r); {
		case err != nil:
			failed = min(max(2*failed, publishGap), publishRetry)
			gap, wait = failed, 0
		default:
			failed, wait = 0, publishCheck
			p.tell(ctx, r)
		}
		if len(p.pending) > 0 {
			wait = 0
		}
		if !pause.For(ctx, gap) {
			return nil
		}
	}
}

// write brings the API to the report.
func (p *publisher) write(ctx context.Context, r *report) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err := p.converge(ctx, r)
	p.metrics.statusWrite(err)
	if err == nil {
		p.trouble = ""
		return nil
	}
	p.object = nil
	if text := err.Error(); text != p.trouble && !errors.Is(ctx.Err(), context.Canceled) {
		level.Warn(p.logger).Log("msg", "status not written", "node", p.node, "error", err)
		p.trouble = text
	}
	return err
}

// converge reads what the API has where that is not known, and writes what is
// different.
func (p *publisher) converge(ctx context.Context, r *report) error {
	want := metadata(p.node, r)
	if err := p.load(ctx, want); err != nil {
		return err
	}
	if p.told == nil { // first: what was announced before the start is no news
		p.told = p.object.Status.DeepCopy()
		p.roll = newRoll(p.told.BGPSessions)
	}
	if equality.Semantic.DeepEqual(p.object.Status, r.status) {
		return nil
	}
	r.status.DeepCopyInto(&p.object.Status)
	return p.client.Status().Update(ctx, p.object)
}

// metadata returns that of the SpeakerStatus of a report. It belongs to its
// Node and goes with it; one of an earlier Node of the name is made anew then.
func metadata(node string, r *report) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:            node,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node, UID: r.node}},
	}
}

// load reads the object, or creates it when there is none.
func (p *publisher) load(ctx context.Context, want metav1.ObjectMeta) error {
	if p.object != nil {
		return nil
	}
	object := &v1beta1.SpeakerStatus{}
	err := p.client.Get(ctx, client.ObjectKey{Name: want.Name}, object)
	if apierrors.IsNotFound(err) {
		object = &v1beta1.SpeakerStatus{ObjectMeta: want}
		err = p.client.Create(ctx, object)
	}
	if err != nil {
		return err
	}
	p.object = object
	return nil
}

// tell writes the events that the report makes due, some now and the rest
// later, so that a takeover of thousands of addresses is no flood. What cannot
// be written is tried again with the rest.
func (p *publisher) tell(ctx context.Context, r *report) {
	due := append(notices(p.told, r), p.roll.call(r)...)
	for i := range due {
		due[i].At = time.Now()
	}
	p.pending = append(p.pending, due...)
	p.told = &r.status
	for range min(len(p.pending), noticeBatch) {
		if err := p.events.Write(ctx, p.pending[0]); err != nil {
			level.Debug(p.logger).Log("msg", "event not written, trying again", "node", p.node, "error", err)
			return
		}
		p.pending = p.pending[1:]
	}
}
