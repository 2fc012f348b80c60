package main

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/probe/arping"
)

const (
	// spinners is how many processes compete with all others for a processor.
	spinners = 2
	// seldom is how often is asked for an address that should stay where it is.
	seldom = 200 * time.Millisecond
	// watched is how many Services of both families are looked at.
	watched = 3
)

// busy counts how often an address moves while nothing happens but that all
// processors are busy, with other work of the same priority and of a low one.
func (r *run) busy(ctx context.Context) error {
	if err := r.impartial(ctx); err != nil {
		return err
	}
	var addrs []netip.Addr
	for i := range watched {
		var own []netip.Addr
		for _, p := range r.segments {
			own = append(own, drive.At(p, lastNumber-i))
		}
		if err := r.create(ctx, service{name: fmt.Sprintf("busy-%d", i), annotation: forAddresses, wish: wish(own)}); err != nil {
			return err
		}
		addrs = append(addrs, own...)
	}
	if err := r.reached(ctx, addrs); err != nil {
		return err
	}
	none := figures.AtMost(0)
	r.table.Part(fmt.Sprintf("nothing happens, but %d processes keep %d processors busy", spinners*runtime.NumCPU(), runtime.NumCPU()))
	for _, nice := range []int{0, 19} {
		moves, overlaps, err := r.busyOnce(ctx, addrs, nice)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%v at nice %d, each of %d addresses: ", r.o.busy/2, nice, len(addrs))
		r.add(figures.Figure{Name: what + "moves", Samples: moves, Most: none})
		r.add(figures.Figure{Name: what + "two answer", Unit: "ms", Samples: overlaps, Most: none})
	}
	return r.deleteServices(ctx)
}

// busyOnce counts the moves of each address, and for how long two answered,
// while processes of a priority keep all processors busy.
func (r *run) busyOnce(ctx context.Context, addrs []netip.Addr, nice int) (moves, overlaps []float64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // ends the processes too
	for range spinners * runtime.NumCPU() {
		spin := exec.CommandContext(ctx, "nice", "-n", strconv.Itoa(nice), "sh", "-c", "while :; do :; done")
		if err := spin.Start(); err != nil {
			return nil, nil, err
		}
		defer func() { stop(); _ = spin.Wait() }() // it was killed
	}
	var asks []*drive.Running[arping.Report]
	for _, a := range addrs {
		q, err := r.Ask(a, r.link(a), seldom, r.o.busy/2)
		if err != nil {
			return nil, nil, err
		}
		defer q.Drop()
		asks = append(asks, q)
	}
	if err := pause(ctx, r.o.busy/2); err != nil {
		return nil, nil, err
	}
	for _, q := range asks {
		report, err := q.Wait()
		if err != nil {
			return nil, nil, err
		}
		moves = append(moves, float64(drive.Moves(report)))
		overlaps = append(overlaps, milliseconds(drive.Overlap(report)))
	}
	return moves, overlaps, nil
}
