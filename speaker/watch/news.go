package watch

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// News are the Services that the cache has told of since the last pass, so that
// a pass looks at those alone and not at the thousands beside them. It is safe
// for use by several goroutines at once. The zero News asks for a look at all.
type news struct {
	mu sync.Mutex
	// begun is false until all have been looked at, and after a failure.
	begun bool
	names map[types.NamespacedName]bool
	// relevant has the Services whose EndpointSlices matter.
	relevant map[types.NamespacedName]bool
}

// add adds a Service.
func (n *news) add(name types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		n.names = map[types.NamespacedName]bool{}
	}
	n.names[name] = true
}

// take returns what was added since the last call; all is true when every
// Service is to be looked at.
func (n *news) take() (names map[types.NamespacedName]bool, all bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	names, all = n.names, !n.begun
	n.names, n.begun = nil, true
	return names, all
}

// lose asks for a look at all, because what was taken has not been looked at.
func (n *news) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun = false
}

// matters reports whether the EndpointSlices of a Service matter.
func (n *news) matters(name types.NamespacedName) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.relevant[name]
}

// mark notes whether the EndpointSlices of a Service matter. What comes in after
// it noted that they do is let through; what came before is known already.
func (n *news) mark(name types.NamespacedName, relevant bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if relevant {
		n.relevant[name] = true
		return
	}
	delete(n.relevant, name)
}

// markAll notes the Services whose EndpointSlices matter, and no others.
func (n *news) markAll(current map[types.NamespacedName]*corev1.Service) {
	relevant := make(map[types.NamespacedName]bool, len(current))
	for name := range current {
		relevant[name] = true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.relevant = relevant
}

// heardOfService asks for a pass that looks at a Service.
func (w *World) heardOfService(_ context.Context, o client.Object) []reconcile.Request {
	w.news.add(client.ObjectKeyFromObject(o))
	return []reconcile.Request{world}
}

// heardOfBackends takes note of a Service of which EndpointSlices say something
// else than before, and reports whether a pass is to look at it.
func (w *World) heardOfBackends(service types.NamespacedName) bool {
	if service == w.serviceName() {
		return true // every pass looks for the speakers
	}
	if !w.news.matters(service) {
		return false
	}
	w.news.add(service)
	return true
}

// readServices brings the catalogue up to date.
func (w *World) readServices(ctx context.Context) error {
	names, all := w.news.take()
	var err error
	if all {
		err = w.readAll(ctx)
	} else {
		err = w.readSome(ctx, names)
	}
	if err != nil {
		w.news.lose()
	}
	return err
}

// readAll reads every Service.
func (w *World) readAll(ctx context.Context) error {
	var services corev1.ServiceList
	if err := w.cluster.List(ctx, &services, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list services: %w", err)
	}
	current := w.catalogue.begin(services.Items)
	w.news.markAll(current)
	w.catalogue.finish(current, w.backends.served)
	return nil
}

// readSome reads some Services.
func (w *World) readSome(ctx context.Context, names map[types.NamespacedName]bool) error {
	changed := make([]types.NamespacedName, 0, len(names))
	for name := range names {
		is, err := w.readService(ctx, name)
		if err != nil {
			return err
		}
		if is {
			changed = append(changed, name)
		}
	}
	w.catalogue.arrange(changed)
	return nil
}

// readService reads one Service, and reports whether it has changed.
func (w *World) readService(ctx context.Context, name types.NamespacedName) (bool, error) {
	var s corev1.Service
	err := w.cluster.Get(ctx, name, &s, client.UnsafeDisableDeepCopy)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("get service %s: %w", name, err)
	}
	concerns := err == nil && w.catalogue.concerns(&s)
	w.news.mark(name, concerns)
	if !concerns {
		return w.catalogue.drop(name), nil
	}
	return w.catalogue.put(name, &s, w.backends.served(name)), nil
}
