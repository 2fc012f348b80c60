package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/speaker/desired"
)

// world is the one key there is.
var world = reconcile.Request{}

// name is that of the controller, and of the one who reports events.
const name = "herald-speaker"

// Add has the World follow the cluster of a manager once that is started. The
// manager must not be one that elects a leader.
func (w *World) Add(mgr manager.Manager) error {
	w.cluster = mgr.GetCache()
	kinds := append(kube.ConfigKinds(), &corev1.Service{}, &corev1.Node{})
	if err := kube.Prepare(mgr, kinds...); err != nil {
		return err
	}
	w.publisher = newPublisher(w, &direct{Reader: mgr.GetAPIReader(), Client: mgr.GetClient()},
		kube.NewEvents(mgr.GetClient(), name, w.Logger))
	if err := mgr.Add(manager.RunnableFunc(w.publisher.Start)); err != nil {
		return fmt.Errorf("add publisher: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(w.followRouters)); err != nil {
		return fmt.Errorf("add BGP watcher: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(w.followLinks)); err != nil {
		return fmt.Errorf("add link watcher: %w", err)
	}
	if err := errors.Join(
		mgr.AddHealthzCheck("passes", w.Live),
		mgr.AddReadyzCheck("gossip-key", w.Keyed),
		mgr.AddReadyzCheck("announcements", w.Ready),
	); err != nil {
		return fmt.Errorf("add probes: %w", err)
	}
	feed, err := kube.NewFeed(mgr, w.Logger, &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSliceList{}, w.backends)
	if err != nil {
		return err
	}
	election := false
	c, err := controller.New(name, mgr, controller.Options{
		Reconciler:         w,
		NeedLeaderElection: &election,
	})
	if err != nil {
		return fmt.Errorf("make controller: %w", err)
	}
	for _, s := range append(w.sources(mgr.GetCache()), backendsSource{feed, w.backendsC}) {
		if err := c.Watch(s); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	return nil
}

// direct is a client that reads past the cache.
type direct struct {
	client.Reader
	client.Client
}

// Get reads from the API server.
func (d *direct) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return d.Reader.Get(ctx, key, obj, opts...)
}

// List reads from the API server.
func (d *direct) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return d.Reader.List(ctx, list, opts...)
}

// sources are everything that asks for a pass.
func (w *World) sources(c cache.Cache) []source.Source {
	ask := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{world}
	})
	askConfig := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		w.configStale.Store(true)
		return []reconcile.Request{world}
	})
	out := []source.Source{
		source.Kind(c, client.Object(&corev1.Service{}), handler.EnqueueRequestsFromMapFunc(w.heardOfService), w.services()),
		source.Kind(c, client.Object(&corev1.Node{}), ask, nodes()),
		source.Func(w.followMembers),
	}
	for _, kind := range kube.ConfigKinds() {
		out = append(out, source.Kind(c, kind, askConfig, objects()))
	}
	return out
}

// objects leaves out changes that cannot matter, those of a status. Secrets
// have no generation.
func objects() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{},
		predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
			_, secret := e.ObjectNew.(*corev1.Secret)
			return secret
		}})
}

// services lets Services through that are announced, or were, and leaves out
// changes that cannot matter.
func (w *World) services() predicate.Predicate {
	concerns := w.catalogue.concerns
	p := predicate.NewPredicateFuncs(func(o client.Object) bool { return concerns(o.(*corev1.Service)) })
	p.UpdateFunc = func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*corev1.Service), e.ObjectNew.(*corev1.Service)
		if concerns(was) != concerns(is) || was.UID != is.UID {
			return true
		}
		return concerns(is) && (was.Spec.ExternalTrafficPolicy != is.Spec.ExternalTrafficPolicy ||
			!maps.Equal(was.Labels, is.Labels) || !slices.Equal(addresses(was), addresses(is)))
	}
	return p
}

// A backendsSource asks for a pass whenever its feed has told of something that
// a pass is to look at.
type backendsSource struct {
	feed     *kube.Feed
	changedC <-chan struct{}
}

var _ source.SyncingSource = backendsSource{}

// Start implements source.Source.
func (s backendsSource) Start(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go s.feed.Run(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.changedC:
				q.Add(world)
			}
		}
	}()
	return nil
}

// WaitForSync implements source.SyncingSource.
func (s backendsSource) WaitForSync(ctx context.Context) error {
	select {
	case <-s.feed.Synced():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for EndpointSlices: %w", ctx.Err())
	}
}

// nodes leaves out changes of Nodes that cannot matter, such as heartbeats.
func nodes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := hostOf(e.ObjectOld.(*corev1.Node)), hostOf(e.ObjectNew.(*corev1.Node))
		return was.notReady != is.notReady || was.Unavailable != is.Unavailable ||
			!maps.Equal(was.Labels, is.Labels) || e.ObjectOld.GetUID() != e.ObjectNew.GetUID()
	}}
}

// gather is how long a pass waits that only brings what this node shows up to
// date. A thousand addresses that others claim, or that are taken here, come one
// by one; a pass for each would use up the budget that a change needs which
// somebody waits for.
const gather = 20 * time.Millisecond

// followMembers asks for a pass whenever the members, the links or the
// conflicts change, until ctx ends.
func (w *World) followMembers(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go func() {
		settled, alive, claims := w.Members.Settled(), w.Members.Alive(), w.Members.Claims()
		for {
			wait := time.Duration(0)
			select {
			case <-ctx.Done():
				return
			case <-w.Members.Changed():
				wasAlive, wasClaims := alive, claims
				alive, claims = w.Members.Alive(), w.Members.Claims()
				if !maps.Equal(wasAlive, alive) {
					hurry(w.urgentC)
				} else if !concerned(w.Node, wasClaims, claims) {
					wait = gather
				}
			case <-settled:
				settled = nil // a closed channel is always ready
			case <-w.linksC:
				w.linksStale.Store(true)
				hurry(w.urgentC)
			case <-w.Layer2.Changed():
				wait = gather
			}
			q.AddAfter(world, wait)
		}
	}()
	go func() {
		for c, ok := w.Layer2.NextConflict(ctx); ok; c, ok = w.Layer2.NextConflict(ctx) {
			select {
			case w.conflictsC <- c:
			default: // there are enough of them to show
			}
			q.Add(world)
		}
	}()
	return nil
}

// concerned reports whether claims have changed that give a node an address or
// take one from it.
func concerned(node string, was, is *desired.Claims) bool {
	for addr := range is.Changed(was) {
		if is.Of(addr).Node == node || was.Of(addr).Node == node {
			return true
		}
	}
	return false
}

// hurry puts a token into a channel that has room for one.
func hurry(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
