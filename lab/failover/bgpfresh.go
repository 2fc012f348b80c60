package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
)

// routedFresh measures how soon routers have routes to the addresses of a new
// Service, and forward to them.
func (r *run) routedFresh(ctx context.Context) error {
	if err := errors.Join(r.setUpBGP(ctx), r.peer(ctx, watchedFast), r.converged(ctx, watchedFast)); err != nil {
		return err
	}
	told, forwarded := make([][]float64, len(ways)), make([][]float64, len(ways))
	for i := range r.o.Runs {
		var own []netip.Addr
		for _, p := range routed {
			own = append(own, drive.At(p, freshNumber+i))
		}
		if err := r.forwardedAfter(ctx, fmt.Sprintf("routed-%d", i), own, told, forwarded); err != nil {
			return err
		}
	}
	r.table.Part("BGP: Service of both families created, to the route in the router's BGP table, of the slower family")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: told[i], Most: figures.AtMost(100)})
	}
	r.table.Part("- to the first route in the router's kernel")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: forwarded[i], Most: figures.AtMost(100)})
	}
	return nil
}

// forwardedAfter creates a Service with addresses, and adds how long it took from
// then until each router had routes to all of them, and forwarded to them.
func (r *run) forwardedAfter(ctx context.Context, name string, addrs []netip.Addr, told, forwarded [][]float64) error {
	tables, err := watchAll(ctx, r.WatchTable)
	defer endAll(tables)
	if err != nil {
		return err
	}
	routes, err := watchAll(ctx, r.WatchRoutes)
	defer endAll(routes)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	if err := pause(ctx, baseline); err != nil {
		return err
	}
	began := time.Now()
	seen := make([]chan sighting, len(ways))
	for i, w := range tables {
		seen[i] = make(chan sighting, 1)
		go func() {
			at, err := w.Seen(ctx, addrs...)
			seen[i] <- sighting{at, err}
		}()
	}
	if err := r.create(ctx, service{name: name, annotation: forAddresses, wish: wish(addrs)}); err != nil {
		return err
	}
	for i := range ways {
		s := <-seen[i]
		at, err := routes[i].Seen(ctx, addrs...)
		if err := errors.Join(s.err, err); err != nil {
			return err
		}
		told[i] = append(told[i], milliseconds(s.at.Sub(began)))
		forwarded[i] = append(forwarded[i], milliseconds(at.Sub(began)))
	}
	return r.kube.CoreV1().Services("default").Delete(ctx, name, metav1.DeleteOptions{})
}

// A sighting is when something was seen, or why it was not.
type sighting struct {
	at  time.Time
	err error
}

// watchAll starts a watch on the router of each way; those that it returns are to
// be ended whatever comes of the others.
func watchAll[W any](ctx context.Context, watch func(ctx context.Context, host string) (W, error)) (out []W, err error) {
	for _, w := range ways {
		m, err := watch(ctx, w.router)
		if err != nil {
			return out, err
		}
		out = append(out, m)
	}
	return out, nil
}

// endAll ends watches.
func endAll[W interface{ End() }](watches []W) {
	for _, w := range watches {
		w.End()
	}
}
