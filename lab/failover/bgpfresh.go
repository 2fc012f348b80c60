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

// routedFresh measures how soon routers forward to the addresses of a new
// Service.
func (r *run) routedFresh(ctx context.Context) error {
	if err := errors.Join(r.setUpBGP(ctx), r.peer(ctx, watchedFast), r.converged(ctx, watchedFast)); err != nil {
		return err
	}
	told, forwarded := make([][]float64, len(ways)), make([][]float64, len(ways))
	for i := range r.o.runs {
		var own []netip.Addr
		for _, p := range routed {
			own = append(own, drive.At(p, freshNumber+i))
		}
		if err := r.forwardedAfter(ctx, fmt.Sprintf("routed-%d", i), own, told, forwarded); err != nil {
			return err
		}
	}
	r.table.Part("BGP: Service of both families created, to the UPDATE on the wire, of the slower family")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: told[i]})
	}
	r.table.Part("- to the first route in the router's kernel")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: forwarded[i], Most: figures.AtMost(100)})
	}
	return nil
}

// forwardedAfter creates a Service with addresses, and adds how long it took from
// then until each router was told of all of them, and forwarded to them.
func (r *run) forwardedAfter(ctx context.Context, name string, addrs []netip.Addr, told, forwarded [][]float64) error {
	updates, err := watchAll(ctx, r.WatchUpdates)
	defer endAll(updates)
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
	if err := r.create(ctx, service{name: name, annotation: forAddresses, wish: wish(addrs)}); err != nil {
		return err
	}
	for i := range ways {
		at, err := updates[i].Seen(ctx, addrs...)
		if err != nil {
			return err
		}
		told[i] = append(told[i], milliseconds(at.Sub(began)))
		if at, err = routes[i].Seen(ctx, addrs...); err != nil {
			return err
		}
		forwarded[i] = append(forwarded[i], milliseconds(at.Sub(began)))
	}
	return r.kube.CoreV1().Services("default").Delete(ctx, name, metav1.DeleteOptions{})
}

// watchAll starts a watch on the router of each way; those that it returns are to
// be ended whatever comes of the others.
func watchAll(ctx context.Context, watch func(ctx context.Context, host string) (*drive.RouteWatch, error)) (out []*drive.RouteWatch, err error) {
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
func endAll(watches []*drive.RouteWatch) {
	for _, w := range watches {
		w.End()
	}
}
