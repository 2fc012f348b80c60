package kube

import (
	"context"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// How long to wait before the API server is asked again. The reflector of
// client-go would wait up to a minute, and everything that is created when
// the API is back would wait with it.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// A patient retries lists and watches of one kind for as long as the API
// server is away or not yet able to serve them.
type patient struct {
	lw     toolscache.ListerWatcherWithContext
	outage *outage
	// trimService trims the Services of a page.
	trimService func(*corev1.Service)
}

// newInformer is cache.Options.NewInformer: the usual informer, made patient.
func newInformer(l log.Logger, trimService func(*corev1.Service)) func(toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers) toolscache.SharedIndexInformer {
	shared := &outage{logger: l}
	return func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, idx toolscache.Indexers) toolscache.SharedIndexInformer {
		p := &patient{lw: toolscache.ToListerWatcherWithContext(lw), outage: shared, trimService: trimService}
		return toolscache.NewSharedIndexInformer(p.source(obj), obj, resync, idx)
	}
}

// source is how the patient lists and watches objects of the kind of obj.
func (p *patient) source(obj runtime.Object) toolscache.ListerWatcher {
	if paged(obj) {
		return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{
			ListWithContextFunc:  p.listPages,
			WatchFuncWithContext: p.watch,
		}, unstreamed{})
	}
	return &toolscache.ListWatch{
		ListWithContextFunc:  p.listOnce,
		WatchFuncWithContext: p.watch,
	}
}

// listOnce lists until the server answers or ctx ends.
func (p *patient) listOnce(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	return insist(ctx, p.outage, func() (runtime.Object, error) { return p.lw.ListWithContext(ctx, o) })
}

// watch watches until the server answers or ctx ends.
func (p *patient) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return insist(ctx, p.outage, func() (watch.Interface, error) { return p.lw.WatchWithContext(ctx, o) })
}

// insist calls ask until it gets an answer that more asking would not change.
func insist[T any](ctx context.Context, out *outage, ask func() (T, error)) (T, error) {
	v, err := ask()
	if err == nil || !passing(err) {
		return v, err
	}
	out.begin(err)
	defer out.end()
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return v, err
		case <-t.C:
		}
		if v, err = ask(); err == nil || !passing(err) {
			return v, err
		}
	}
}

// An outage is a time in which some kind is not served. It is logged once,
// however many kinds a cache has.
type outage struct {
	logger log.Logger

	mu      sync.Mutex
	waiting int
	since   time.Time
}

// begin counts one more kind that is not served.
func (o *outage) begin(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting++; o.waiting > 1 {
		return
	}
	o.since = time.Now()
	_ = level.Warn(o.logger).Log("msg", "kubernetes api not served, asking again", "error", err)
}

// end counts one kind less.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting--; o.waiting > 0 {
		return
	}
	_ = level.Info(o.logger).Log("msg", "kubernetes api served again", "duration", time.Since(o.since).Round(time.Millisecond))
}

// passing reports whether an error says that the server is away, starting, or
// lacks a permission or a kind that may yet be installed.
func passing(err error) bool {
	if apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return false // it may never be reached again: the reflector must ask for any
	}
	switch apierrors.ReasonForError(err) {
	case metav1.StatusReasonUnknown: // not an answer of the server at all
		return true
	case metav1.StatusReasonUnauthorized, metav1.StatusReasonForbidden, metav1.StatusReasonNotFound,
		metav1.StatusReasonServerTimeout, metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests,
		metav1.StatusReasonInternalError, metav1.StatusReasonServiceUnavailable:
		return true
	default:
		return false // such as Expired, upon which the reflector must list anew
	}
}
