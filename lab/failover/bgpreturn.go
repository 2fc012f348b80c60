package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heraldlb/herald/lab/figures"
)

// routedReturn measures how soon routers have the routes again of a node that
// was cut off, and nodes and router find each other when the router's BGP daemon
// was restarted.
func (r *run) routedReturn(ctx context.Context) error {
	if err := errors.Join(r.setUpBGP(ctx), r.peer(ctx, watchedFast)); err != nil {
		return err
	}
	nodes, daemons := make([][]float64, len(ways)), make([][]float64, len(ways))
	for i := range r.o.Runs {
		err := r.converged(ctx, watchedFast)
		if err == nil {
			err = r.awayAndBack(ctx, r.nodes[i%(len(r.nodes)-1)], nodes)
		}
		if err == nil {
			err = r.restartDaemons(ctx, daemons)
		}
		if err != nil {
			return err
		}
	}
	for _, part := range []struct {
		what  string
		waits [][]float64
	}{{"a node is back that was cut off", nodes}, {"the router's BGP daemon is started again", daemons}} {
		r.table.Part("BGP: " + part.what + ", to the routes of all nodes in the router's kernel")
		for i, w := range ways {
			r.add(figures.Figure{Name: w.title, Unit: "s", Samples: part.waits[i]})
		}
	}
	return nil
}

// awayAndBack cuts a node off, long enough to be found out, and adds how long its
// routes take to be back.
func (r *run) awayAndBack(ctx context.Context, node string, waits [][]float64) error {
	err := errors.Join(verb("cut")(r, ctx, node), pause(ctx, noticing))
	err = errors.Join(err, verb("heal")(r, context.WithoutCancel(ctx), node))
	if err != nil {
		return err
	}
	return errors.Join(r.backAfter(ctx, waits), r.whole(ctx))
}

// restartDaemons stops the BGP daemon of every router, starts it again, and adds
// how long the routes take to be back.
func (r *run) restartDaemons(ctx context.Context, waits [][]float64) error {
	for _, w := range ways {
		if _, err := r.Output(ctx, "kill", w.router, w.daemon, "--signal", "TERM"); err != nil {
			return err
		}
	}
	if err := pause(ctx, noticing); err != nil {
		return err
	}
	for _, w := range ways {
		if _, err := r.Output(ctx, "start", w.router, w.daemon); err != nil {
			return err
		}
	}
	return r.backAfter(ctx, waits)
}

// backAfter waits until each router forwards to every node, and adds how long
// that took, in seconds.
func (r *run) backAfter(ctx context.Context, waits [][]float64) error {
	began := time.Now()
	done := make([]bool, len(ways))
	return until(ctx, "routes of all nodes", func(ctx context.Context) error {
		for i, w := range ways {
			if done[i] {
				continue
			}
			v, err := r.Routes(ctx, w.router)
			if err != nil {
				return err
			}
			if n := hopsTo(v, steady(routed)[0]) + hopsTo(v, steady(routed)[1]); n != 2*len(r.nodes) {
				return fmt.Errorf("%s: %d next hops, want %d", w.router, n, 2*len(r.nodes))
			}
			done[i] = true
			waits[i] = append(waits[i], time.Since(began).Seconds())
		}
		return nil
	})
}
