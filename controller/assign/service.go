package assign

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/heraldlb/herald/internal/kube"
)

// conflictRetry is how long to wait for the cache after a write came too late.
// The cache's own news usually come first.
const conflictRetry = 200 * time.Millisecond

// reconcileService brings one Service's status in line with the book.
func (a *assigner) reconcileService(ctx context.Context, key client.ObjectKey) (reconcile.Result, error) {
	t := a.enter()
	if t == nil {
		return reconcile.Result{}, nil // enqueued again when a term begins
	}
	defer t.busy.Done()
	ctx, cancel := t.bind(ctx)
	defer cancel()
	began := time.Now()
	defer func() { a.metrics.observe("service", time.Since(began)) }()
	defer t.poke()

	var s corev1.Service
	err := a.client.Get(ctx, key, &s)
	switch {
	case apierrors.IsNotFound(err):
		return a.absent(ctx, t, key)
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("read Service: %w", err)
	case !handled(&s, a.class):
		return a.disown(ctx, t, &s)
	}
	out, current := t.observe(&s, a.now())
	if !current {
		return reconcile.Result{}, nil // the cache will tell when it has caught up
	}
	c := plan(&s, out, a.now())
	if c == nil {
		return reconcile.Result{}, nil
	}
	if wait, tell := t.contested(key.String(), out, a.now()); wait > 0 {
		if tell {
			a.tellContest(&s)
		}
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	return a.write(ctx, t, &s, c, out)
}

// tellContest tells that somebody else writes a Service's status too.
func (a *assigner) tellContest(s *corev1.Service) {
	const note = "something else keeps rewriting the status of this Service: is there another load balancer that handles it?"
	a.events.tell(s, kube.Event{Type: corev1.EventTypeWarning, Reason: eventContested, Action: "Assign", Note: note})
	_ = level.Warn(a.logger).Log("msg", "status rewritten by others", "service", client.ObjectKeyFromObject(s).String())
}

// observe tells the book of a Service from the cache, and returns what is to
// become of it; current is false when more is known of it already.
func (t *term) observe(s *corev1.Service, now time.Time) (out outcome, current bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := newRequest(s)
	e := t.book.observe(r, now)
	e.confirmed = e.confirmed || e.request == r
	return e.outcome, e.request == r
}

// absent releases what a Service held that is gone. That the cache does not
// have it may also mean that it does not have it yet.
func (a *assigner) absent(ctx context.Context, t *term, key client.ObjectKey) (reconcile.Result, error) {
	name := key.String()
	t.mu.Lock()
	e := t.book.entries[name]
	sure := e == nil || e.confirmed
	t.mu.Unlock()
	if !sure {
		var found corev1.ServiceList // by a list, which needs no permission of its own
		err := a.live.List(ctx, &found, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name})
		switch {
		case err != nil:
			return reconcile.Result{}, fmt.Errorf("read Service: %w", err)
		case len(found.Items) > 0:
			return reconcile.Result{RequeueAfter: retryAfter}, nil
		}
	}
	if had := a.forget(t, name); len(had) > 0 {
		a.logReleased(name, had)
	}
	return reconcile.Result{}, nil
}

// disown cleans the status of a Service that is not, or no longer, ours, and
// releases what it held once the status does not show it any longer.
func (a *assigner) disown(ctx context.Context, t *term, s *corev1.Service) (reconcile.Result, error) {
	key := client.ObjectKeyFromObject(s).String()
	t.mu.Lock()
	e := t.book.entries[key]
	outdated := e != nil && t.book.outdated(e, string(s.UID), s.ResourceVersion)
	t.mu.Unlock()
	if outdated {
		return reconcile.Result{}, nil // the cache will tell when it has caught up
	}
	c := planRelease(s)
	if c != nil {
		if result, err := a.write(ctx, t, s, c, outcome{}); err != nil || result.RequeueAfter > 0 {
			return result, err
		}
	}
	// The API server itself takes the addresses off a Service whose type changes,
	// and leaves the condition, so that no write tells of them.
	told := c != nil && c.reason != ""
	if had := a.forget(t, key); len(had) > 0 && !told {
		a.logReleased(key, had)
		a.events.tell(s, kube.Event{
			Type: corev1.EventTypeNormal, Reason: eventReleased, Action: "Assign", Note: releasedNote(had),
		})
	}
	return reconcile.Result{}, nil
}

// forget releases what a Service held, and returns what it was given.
func (a *assigner) forget(t *term, key string) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.book.entries[key]
	if e == nil {
		return nil
	}
	t.book.forget(key, a.now())
	return e.outcome.addresses
}

// logReleased logs that a Service is gone or no longer ours.
func (a *assigner) logReleased(key string, had []netip.Addr) {
	_ = level.Info(a.logger).Log("msg", "address released", "service", key, "ips", list(had))
}

// write writes a change, and tells of it. What the book has claimed stays
// claimed when the write fails; the Service is tried again.
func (a *assigner) write(ctx context.Context, t *term, s *corev1.Service, c *change, out outcome) (reconcile.Result, error) {
	written := &corev1.Service{}
	written.Namespace, written.Name = s.Namespace, s.Name
	end := a.traffic.begin()
	err := a.client.Status().Patch(ctx, written, client.RawPatch(types.MergePatchType, c.patch))
	end()
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{RequeueAfter: retryAfter}, nil // the cache will know by then
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("write status: %w", err)
	}
	if handled(written, a.class) {
		t.wrote(newRequest(written), out, a.now())
	}
	if c.reason != "" {
		a.events.tell(s, kube.Event{Type: c.eventType, Reason: c.reason, Action: "Assign", Note: c.note})
		a.logChange(s, c)
	}
	return reconcile.Result{}, nil
}

// logChange logs what an event tells.
func (a *assigner) logChange(s *corev1.Service, c *change) {
	key := client.ObjectKeyFromObject(s).String()
	switch c.reason {
	case eventAssigned:
		_ = level.Info(a.logger).Log("msg", "address assigned", "service", key, "ips", c.ips)
	case eventReassigned:
		_ = level.Info(a.logger).Log("msg", "address replaced", "service", key, "ips", c.ips, "reason", c.note)
	case eventReleased:
		_ = level.Info(a.logger).Log("msg", "address released", "service", key, "ips", c.ips, "reason", c.note)
	default:
		_ = level.Info(a.logger).Log("msg", "address not assigned", "service", key, "reason", c.note)
	}
}
