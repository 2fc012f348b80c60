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
	waits := make([][]float64, len(ways))
	for i := range r.o.runs {
		var own []netip.Addr
		for _, p := range routed {
			own = append(own, drive.At(p, freshNumber+i))
		}
		if err := r.forwardedAfter(ctx, fmt.Sprintf("routed-%d", i), own, waits); err != nil {
			return err
		}
	}
	r.table.Part("BGP: Service of both families created, to the first route in the router's kernel, of the slower family")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: waits[i], Most: figures.AtMost(100)})
	}
	return nil
}

// forwardedAfter creates a Service with addresses, and adds how long it took from
// then until each router forwarded to all of them.
func (r *run) forwardedAfter(ctx context.Context, name string, addrs []netip.Addr, waits [][]float64) error {
	var monitors []*drive.RouteWatch
	for _, w := range ways {
		m, err := r.WatchRoutes(ctx, w.router)
		if err != nil {
			return err
		}
		defer m.End()
		monitors = append(monitors, m)
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
	for i, m := range monitors {
		at, err := m.Seen(ctx, addrs...)
		if err != nil {
			return err
		}
		waits[i] = append(waits[i], milliseconds(at.Sub(began)))
	}
	return r.kube.CoreV1().Services("default").Delete(ctx, name, metav1.DeleteOptions{})
}
