package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/measure"
	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/probe/arping"
)

const (
	// baseline is how long everything is watched before something is done.
	baseline = time.Second
	// forever is longer than anything is watched.
	forever = 10 * time.Minute
	// failures is how many runs of a fault may fail before it is given up.
	failures = 2
)

// A fault is something that happens to the node that announces an address.
type fault struct {
	// name is that of the step, title tells what is done.
	name, title string
	// second says that addresses of the second network are watched.
	second bool
	// before is done first, and unseen; mend makes whole what strike broke. Nil
	// does nothing.
	before, strike, mend func(*run, context.Context, string) error
	// after is how long everything is watched when strike is done.
	after time.Duration
	// What is wanted: of the longest gap and of the time in which two answer,
	// in milliseconds, and of the failed connections; nil for nothing.
	gap, overlap, failed *float64
}

// A toll is what one address's clients noticed, one sample for each run.
type toll struct{ gaps, failed, overlaps []float64 }

// fault measures one fault as often as it was asked for.
func (r *run) fault(ctx context.Context, f fault) error {
	networks := r.segments
	if f.second {
		networks = r.seconds
	}
	addrs := steady(networks)
	tolls := make([]toll, len(addrs))
	var errs []error
	for i := 0; i < r.o.Runs && len(errs) < failures; i++ {
		err := r.strikeOnce(ctx, f, addrs, tolls)
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("run %d: %w", i+1, err))
		measure.Progress("%v", err)
		if err := r.repair(ctx); err != nil {
			errs = append(errs, err)
			break
		}
	}
	r.tell(f, addrs, tolls)
	return errors.Join(errs...)
}

// tell adds what was noticed of a fault to the table.
func (r *run) tell(f fault, addrs []netip.Addr, tolls []toll) {
	r.table.Part(f.title)
	for i, t := range tolls {
		r.add(figures.Figure{Name: family(addrs[i]) + ", longest gap of a client", Unit: "ms", Samples: t.gaps, Most: f.gap})
		r.add(figures.Figure{Name: family(addrs[i]) + ", failed connections", Samples: t.failed, Most: f.failed})
		r.add(figures.Figure{Name: family(addrs[i]) + ", two answer", Unit: "ms", Samples: t.overlaps, Most: f.overlap})
	}
}

// strikeOnce does a fault to the node that all addresses were moved to, and
// mends it.
func (r *run) strikeOnce(ctx context.Context, f fault, addrs []netip.Addr, tolls []toll) (err error) {
	node, err := r.place(ctx, addrs)
	if err == nil {
		err = r.do(ctx, f.before, node)
	}
	if err != nil {
		return err
	}
	w, err := r.observe(ctx, addrs)
	if err != nil {
		return err
	}
	defer w.drop()
	err = errors.Join(r.do(ctx, f.strike, node), pause(ctx, f.after))
	if err == nil {
		err = w.end(tolls, func(int) bool { return true })
	}
	// What was broken is mended in any case, for whoever comes next.
	return errors.Join(err, r.do(context.WithoutCancel(ctx), f.mend, node), r.whole(ctx), r.reached(ctx, addrs))
}

// do does something to a node, unless it is nothing.
func (r *run) do(ctx context.Context, what func(*run, context.Context, string) error, node string) error {
	if what == nil {
		return nil
	}
	return what(r, ctx, node)
}

// place moves addresses to a node without an endpoint, another one each time,
// and waits until it alone answers for them.
func (r *run) place(ctx context.Context, addrs []netip.Addr) (string, error) {
	node := r.nodes[r.placed%(len(r.nodes)-1)]
	r.placed++
	if err := r.prefer(ctx, node, r.nodes...); err != nil {
		return "", err
	}
	return node, r.held(ctx, addrs, node+" answers", func(host string) bool { return host == node })
}

// held waits until exactly one host answers for each address, one that is
// right.
func (r *run) held(ctx context.Context, addrs []netip.Addr, what string, right func(host string) bool) error {
	for _, a := range addrs {
		err := until(ctx, fmt.Sprintf("%s: %s", a, what), func(ctx context.Context) error {
			hosts, err := r.Responders(ctx, a, r.link(a))
			if err == nil && (len(hosts) != 1 || !right(hosts[0])) {
				err = fmt.Errorf("answered by %v", hosts)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// link returns the link of every host that leads to the network of an address.
func (r *run) link(a netip.Addr) string {
	if slices.ContainsFunc(r.seconds, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return "eth1"
	}
	return "eth0"
}

// A watch connects to addresses and asks for them.
type watch struct {
	probes []*drive.Running[probe.Report]
	asks   []*drive.Running[arping.Report]
}

// observe starts a watch, and returns when its baseline is over. The caller
// drops it.
func (r *run) observe(ctx context.Context, addrs []netip.Addr) (*watch, error) {
	w := &watch{}
	for _, a := range addrs {
		p, err := r.Probe(a, forever)
		if err != nil {
			w.drop()
			return nil, err
		}
		w.probes = append(w.probes, p)
		q, err := r.Ask(a, r.link(a), drive.Every, forever)
		if err != nil {
			w.drop()
			return nil, err
		}
		w.asks = append(w.asks, q)
	}
	if err := pause(ctx, baseline); err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

// end ends a watch, and adds what each address's clients noticed to its toll,
// if the address counts.
func (w *watch) end(tolls []toll, counts func(i int) bool) error {
	for i := range w.probes {
		p, err := w.probes[i].Stop()
		if err != nil {
			return err
		}
		q, err := w.asks[i].Stop()
		if err != nil {
			return err
		}
		measure.Progress("    %s: gap %.0f ms, failed %v, two answered %.0f ms", q.Target, milliseconds(drive.Outage(p)), p.Reasons, q.OverlapMs)
		if t := &tolls[i]; counts(i) {
			t.gaps = append(t.gaps, milliseconds(drive.Outage(p)))
			t.failed = append(t.failed, float64(p.Failures))
			t.overlaps = append(t.overlaps, milliseconds(drive.Overlap(q)))
		}
	}
	return nil
}

// drop ends what of a watch was not ended.
func (w *watch) drop() {
	for _, p := range w.probes {
		p.Drop()
	}
	for _, q := range w.asks {
		q.Drop()
	}
}
