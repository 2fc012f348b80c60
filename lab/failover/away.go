package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/lab/figures"
)

// away measures hard cuts while the API server is away: as many for each
// address as were asked for, in one absence. Two nodes may announce, so that
// the endpoint's is never cut off.
func (r *run) away(ctx context.Context) error {
	addrs, two := steady(r.segments), r.nodes[:2]
	if err := r.prefer(ctx, two[0], two...); err != nil {
		return err
	}
	if err := r.held(ctx, addrs, "one of two answers", func(host string) bool { return slices.Contains(two, host) }); err != nil {
		return err
	}
	if _, err := r.Output(ctx, "kill", "cp", "kube-apiserver", "--signal", "KILL"); err != nil {
		return err
	}
	began := time.Now()
	tolls := make([]toll, len(addrs))
	err := pause(ctx, 2*settling)
	for i := 0; err == nil && i < 2*r.o.Runs && (len(tolls[0].gaps) < r.o.Runs || len(tolls[1].gaps) < r.o.Runs); i++ {
		err = r.cutUnseen(ctx, addrs, i%len(addrs), tolls)
	}
	f := fault{title: fmt.Sprintf("holder cut off while the API server is away, for %.0f s", time.Since(began).Seconds()), gap: figures.AtMost(500)}
	r.tell(f, addrs, tolls)
	_, back := r.Output(context.WithoutCancel(ctx), "start", "cp", "kube-apiserver")
	return errors.Join(err, back, r.whole(ctx), r.reached(ctx, addrs))
}

// cutUnseen cuts the node off that holds the n-th address, and connects it
// again when others answer. Only the addresses that it held count. It needs no
// API server.
func (r *run) cutUnseen(ctx context.Context, addrs []netip.Addr, n int, tolls []toll) error {
	holders := make([]string, len(addrs))
	for i, a := range addrs {
		err := r.held(ctx, []netip.Addr{a}, "one answers", func(host string) bool { holders[i] = host; return true })
		if err != nil {
			return err
		}
	}
	w, err := r.observe(ctx, addrs)
	if err != nil {
		return err
	}
	defer w.drop()
	if err := verb("cut")(r, ctx, holders[n]); err != nil {
		return err
	}
	err = pause(ctx, settling)
	if err == nil {
		err = w.end(tolls, func(i int) bool { return holders[i] == holders[n] })
	}
	err = errors.Join(err, verb("heal")(r, context.WithoutCancel(ctx), holders[n]))
	return errors.Join(err, pause(ctx, 2*settling))
}
