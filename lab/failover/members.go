package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/lab/figures"
)

const (
	// held is how many Services of both families there are when a node comes.
	held = 15
	// more is how many are added when it is there, so that it has some.
	more = 9
	// newcomer is the node that comes and goes.
	newcomer = "node4"
)

// members measures how many addresses move when a node comes or goes.
func (r *run) members(ctx context.Context) error {
	if err := r.impartial(ctx); err != nil {
		return err
	}
	var come, gone, own []float64
	none := figures.AtMost(0)
	r.table.Part(fmt.Sprintf("a 4th node; %d addresses, and %d more while it is there", 2*held, 2*more))
	defer func() {
		r.add(figures.Figure{Name: "it joins: addresses that move", Samples: come, Most: none})
		r.add(figures.Figure{Name: "it leaves, hard: addresses of others that move", Samples: gone, Most: none})
		r.add(figures.Figure{Name: "it leaves, hard: addresses that it had", Samples: own})
	}()
	for range r.o.Runs {
		m, err := r.comeAndGo(ctx)
		if err != nil {
			return err
		}
		come, gone, own = append(come, float64(m.come)), append(gone, float64(m.gone)), append(own, float64(m.own))
	}
	return nil
}

// moves counts the addresses that moved as a node came and went, but for its
// own, and how many it had.
type moves struct{ come, gone, own int }

// comeAndGo lets a node come and go.
func (r *run) comeAndGo(ctx context.Context) (moves, error) {
	var m moves
	pool, err := r.freshPool(ctx)
	if err != nil {
		return m, err
	}
	before, err := r.grown(ctx, pool, 0, held)
	if err != nil {
		return m, err
	}
	three := slices.Clone(r.nodes)
	if _, err := r.Output(ctx, "join", newcomer); err != nil {
		return m, err
	}
	r.nodes = append(r.nodes, newcomer)
	after, err := r.unshaken(ctx, pool, held)
	if err != nil {
		return m, err
	}
	m.come = moved(before, after, nil)
	if before, err = r.grown(ctx, pool, held, held+more); err != nil {
		return m, err
	}
	for _, node := range before {
		if node == newcomer {
			m.own++
		}
	}
	if _, err := r.Output(ctx, "leave", newcomer); err != nil {
		return m, err
	}
	r.nodes = three
	if after, err = r.unshaken(ctx, pool, held+more); err != nil {
		return m, err
	}
	m.gone = moved(before, after, func(node string) bool { return node == newcomer })
	return m, r.deleteServices(ctx)
}

// grown creates the Services from one number to another, and returns who holds
// the addresses of all.
func (r *run) grown(ctx context.Context, pool freshPool, from, to int) (map[netip.Addr]string, error) {
	err := sideBySide(ctx, to-from, func(ctx context.Context, i int) error {
		return r.create(ctx, service{name: fmt.Sprintf("%s-%d", pool.name, from+i), annotation: forPool, wish: pool.name})
	})
	if err != nil {
		return nil, err
	}
	return r.settled(ctx, pool, 2*to)
}

// unshaken waits until all is ready again and what may move has moved, and
// returns who holds the addresses of so many Services.
func (r *run) unshaken(ctx context.Context, pool freshPool, services int) (map[netip.Addr]string, error) {
	if err := r.whole(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, 2*settling); err != nil {
		return nil, err
	}
	return r.settled(ctx, pool, 2*services)
}
