package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/measure"
)

const (
	// quietTime is how long Herald must have written nothing to be at rest.
	quietTime = 3 * time.Second
	// someServices is the smaller number of Services that is measured too.
	someServices = 1000
)

// A bench measures one lab.
type bench struct {
	*clients
	lab   *drive.Lab
	o     options
	audit *auditLog
	// daemons are the process ids of the cluster's own programs by their names,
	// and apiServer that of the API server.
	daemons   map[string][]int
	apiServer int
	// ours tracks the Services that Herald handles, bare those of the loop.
	ours, bare *tracker
	table      table
	// restarted counts the restarts of the controller.
	restarted int
	stop      context.CancelFunc
}

// newBench connects to a lab that runs. The caller closes the bench.
func newBench(ctx context.Context, l *drive.Lab, o options) (*bench, error) {
	st, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	b := &bench{lab: l, o: o, daemons: st.Processes()}
	b.table.Title = fmt.Sprintf(
		"Herald with %d Services; 3 nodes on one machine of %d CPUs; wanted is said of the median", o.services, runtime.NumCPU())
	servers := b.daemons["kube-apiserver"]
	if len(servers) != 1 {
		return nil, fmt.Errorf("lab %s: %d API servers, want 1", l.Name(), len(servers))
	}
	b.apiServer = servers[0]
	if b.clients, err = connect(st.Kubeconfig); err != nil {
		return nil, err
	}
	if b.audit, err = openAudit(st.AuditLog); err != nil {
		return nil, err
	}
	ctx, b.stop = context.WithCancel(ctx)
	for namespace, t := range map[string]**tracker{"bench-ours": &b.ours, "bench-bare": &b.bare} {
		if err := b.createNamespace(ctx, namespace); err != nil {
			return nil, err
		}
		if *t, err = track(ctx, b.kube, namespace); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// close ends the watches.
func (b *bench) close() {
	b.stop()
	b.audit.close()
}

// A step is one part of what is measured.
type step = measure.Step[*bench]

// steps returns every step, in the order in which they are run: memory is
// measured before there was more to remember.
func steps() []step {
	return []step{
		{Name: "idle", Run: (*bench).idle},
		{Name: "some", Run: func(b *bench, ctx context.Context) error { return b.burst(ctx, min(someServices, b.o.services)) }},
		{Name: "burst", Run: func(b *bench, ctx context.Context) error { return b.burst(ctx, b.o.services) }},
		{Name: "churn", Run: (*bench).churn},
		{Name: "restart", Run: (*bench).restart},
		{Name: "compare", Run: (*bench).compare},
		{Name: "bgp", Run: (*bench).bgp},
		{Name: "bgp-change", Run: (*bench).bgpChange},
	}
}

// measure measures what was asked for.
func (b *bench) measure(ctx context.Context) error {
	if err := b.advertise(ctx); err != nil {
		return err
	}
	if err := b.createPool(ctx); err != nil {
		return err
	}
	for _, s := range measure.Chosen(steps(), b.o.Options) {
		if _, err := b.quiet(ctx); err != nil {
			return err
		}
		if err := s.Run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// filled makes all Services and waits until they have addresses, if a step
// that needs them is the first.
func (b *bench) filled(ctx context.Context) error {
	if b.ours.now().services > 0 {
		return nil
	}
	if err := b.createServices(ctx, b.ours.namespace, "", b.o.services); err != nil {
		return err
	}
	if _, err := b.ours.allAssigned(ctx, b.o.services); err != nil {
		return err
	}
	_, err := b.quiet(ctx)
	return err
}

// idle measures Herald without any Service.
func (b *bench) idle(ctx context.Context) error {
	return b.usage(ctx, "idle")
}

// quiet waits until Herald has written nothing for quietTime, and returns what
// it has written since the lab was started.
func (b *bench) quiet(ctx context.Context) (tally, error) {
	var last tally
	since := time.Now()
	err := wait(ctx, "end of writes", func() (bool, error) {
		t, err := b.audit.snapshot()
		if err != nil {
			return false, err
		}
		if !maps.Equal(t, last) {
			last, since = t, time.Now()
		}
		return time.Since(since) >= quietTime, nil
	})
	return last, err
}

// tellWrites adds what was written to the table, divided by n, by which a
// Service is to cost one write of its status and one event.
func (b *bench) tellWrites(what string, written tally, n int) {
	b.table.add(what+", all of Herald's", "writes", nothing, float64(written.total())/float64(n))
	for _, w := range slices.SortedFunc(maps.Keys(written), func(x, y write) int { return cmp.Compare(x.String(), y.String()) }) {
		most := float64(nothing)
		if w.resource == "services/status" || w.resource == "events" {
			most = 1
		}
		b.table.add("- "+w.String(), "writes", most, float64(written[w])/float64(n))
	}
}
