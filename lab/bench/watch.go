package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	// look is how often a condition is looked at. It bounds no precision: what
	// is timed is noted when it happens.
	look = 5 * time.Millisecond
	// ask is how often somebody else is asked for a condition, who is at work for
	// what is measured. It bounds the precision.
	ask = 100 * time.Millisecond
	// tooLong is how long anything may take before the run is given up.
	tooLong = 10 * time.Minute
)

// A tracker watches the Services of one namespace, and notes when each was
// first seen with an address.
type tracker struct {
	namespace string
	store     cache.Store

	mu       sync.Mutex
	services map[string]time.Time // when it got its address; zero without one
	settled  map[string]bool      // those whose status says something of an address
	assigned int
	last     time.Time // when any of them got an address
}

// track watches the Services of a namespace until ctx ends.
func track(ctx context.Context, kube kubernetes.Interface, namespace string) (*tracker, error) {
	f := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace))
	i := f.Core().V1().Services().Informer()
	t := &tracker{namespace: namespace, store: i.GetStore(), services: map[string]time.Time{}, settled: map[string]bool{}}
	_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { t.seen(obj.(*corev1.Service)) },
		UpdateFunc: func(_, obj any) { t.seen(obj.(*corev1.Service)) },
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			t.gone(obj.(*corev1.Service).Name)
		},
	})
	if err != nil {
		return nil, err
	}
	f.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
		return nil, fmt.Errorf("watch of Services in %s: %w", namespace, context.Cause(ctx))
	}
	return t, nil
}

// seen notes what a Service's status shows.
func (t *tracker) seen(s *corev1.Service) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	had := !t.services[s.Name].IsZero()
	has := len(s.Status.LoadBalancer.Ingress) > 0
	t.settled[s.Name] = len(s.Status.Conditions) > 0
	switch {
	case has && !had:
		t.assigned++
		t.services[s.Name], t.last = now, now
	case !has:
		if had {
			t.assigned--
		}
		t.services[s.Name] = time.Time{}
	}
}

// gone forgets a Service.
func (t *tracker) gone(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.services[name].IsZero() {
		t.assigned--
	}
	delete(t.services, name)
	delete(t.settled, name)
}

// counts are how many Services there are, how many of them have an address,
// and when the last of them got it.
type counts struct {
	services, assigned int
	last               time.Time
}

// now returns the counts of this moment.
func (t *tracker) now() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return counts{len(t.services), t.assigned, t.last}
}

// allAssigned waits until there are n Services and all have an address, and
// returns when the last got it.
func (t *tracker) allAssigned(ctx context.Context, n int) (time.Time, error) {
	err := wait(ctx, fmt.Sprintf("%d Services assigned", n), func() (bool, error) {
		c := t.now()
		return c.services == n && c.assigned == n, nil
	})
	return t.now().last, err
}

// allPending waits until there are n Services, none has an address, and each
// says why.
func (t *tracker) allPending(ctx context.Context, n int) error {
	return wait(ctx, fmt.Sprintf("%d Services pending", n), func() (bool, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.services) != n || t.assigned > 0 {
			return false, nil
		}
		for _, told := range t.settled {
			if !told {
				return false, nil
			}
		}
		return true, nil
	})
}

// assignedAt waits until a Service has an address, and returns since when.
func (t *tracker) assignedAt(ctx context.Context, name string) (time.Time, error) {
	var at time.Time
	err := wait(ctx, "address of "+name, func() (bool, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		at = t.services[name]
		return !at.IsZero(), nil
	})
	return at, err
}

// address waits until a Service has an address, and returns the first.
func (t *tracker) address(ctx context.Context, name string) (netip.Addr, error) {
	if _, err := t.assignedAt(ctx, name); err != nil {
		return netip.Addr{}, err
	}
	obj, ok, err := t.store.GetByKey(t.namespace + "/" + name)
	if err != nil || !ok {
		return netip.Addr{}, fmt.Errorf("service %s/%s: not seen by the watch: %w", t.namespace, name, err)
	}
	return netip.ParseAddr(obj.(*corev1.Service).Status.LoadBalancer.Ingress[0].IP)
}

// version returns the resource version of a Service as it was last seen.
func (t *tracker) version(name string) (string, error) {
	obj, ok, err := t.store.GetByKey(t.namespace + "/" + name)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("service %s/%s: not seen by the watch", t.namespace, name)
	}
	return obj.(*corev1.Service).ResourceVersion, nil
}

// wait waits until done says so.
func wait(ctx context.Context, what string, done func() (bool, error)) error {
	return waitEvery(ctx, look, what, done)
}

// waitEvery asks done at an interval until it says yes.
func waitEvery(ctx context.Context, interval time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}
