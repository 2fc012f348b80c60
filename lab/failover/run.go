package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/measure"
)

const (
	// look is how often a condition is looked at that nothing is timed by.
	look = 100 * time.Millisecond
	// tooLong is how long anything may take before a step is given up.
	tooLong = 5 * time.Minute
)

// A run measures one lab.
type run struct {
	*drive.Lab
	o       options
	kube    kubernetes.Interface
	objects dynamic.Interface
	// segments are the prefixes that all hosts are on, IPv4 first, seconds
	// those of the second network.
	segments, seconds []netip.Prefix
	nodes             []string
	table             figures.Table
	// placed counts how often addresses were moved to a node for a fault.
	placed int
	// hosts are the addresses of hosts on the segment, IPv4 first.
	hosts map[string][]netip.Addr
	// routing says that what measurements of BGP need is there.
	routing bool
	// pools counts the pools that were made for a spread.
	pools int
}

// A step is one part of what is measured.
type step = measure.Step[*run]

// steps returns every step, in the order in which they are run.
func steps() []step {
	out := []step{{Name: "fresh", Run: (*run).fresh}}
	for _, f := range faults() {
		out = append(out, step{Name: f.name, Run: func(r *run, ctx context.Context) error { return r.fault(ctx, f) }})
	}
	out = append(out,
		step{Name: "api", Run: (*run).away},
		step{Name: "spread", Run: (*run).spread},
		step{Name: "members", Run: (*run).members},
		step{Name: "busy", Run: (*run).busy},
		step{Name: "bgp-fresh", Run: (*run).routedFresh})
	for _, f := range routedFaults() {
		out = append(out, step{Name: f.name, Run: func(r *run, ctx context.Context) error { return r.routedFault(ctx, f) }})
	}
	return append(out, step{Name: "bgp-return", Run: (*run).routedReturn})
}

// newRun connects to a lab that runs.
func newRun(ctx context.Context, l *drive.Lab, o options) (*run, error) {
	st, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", st.Kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.UserAgent, cfg.QPS = "herald-failover", -1
	r := &run{Lab: l, o: o, segments: st.Segment, seconds: st.Second, nodes: st.Nodes(), hosts: map[string][]netip.Addr{}}
	for _, h := range st.Hosts {
		for _, p := range h.Addrs {
			r.hosts[h.Name] = append(r.hosts[h.Name], p.Addr())
		}
	}
	if r.kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if r.objects, err = dynamic.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if len(r.nodes) != 3 || len(r.segments) != 2 || len(r.seconds) != 2 {
		return nil, fmt.Errorf("lab %s: want 3 nodes, both families and a second network", l.Name())
	}
	r.table.Title = fmt.Sprintf("Herald's layer 2 and BGP; 3 nodes on one machine of %d CPUs; wanted is said of the median", runtime.NumCPU())
	return r, nil
}

// measure measures what was asked for. A step that fails does not keep the
// others from being measured, unless the lab is beyond repair.
func (r *run) measure(ctx context.Context) error {
	if err := r.setUp(ctx); err != nil {
		return err
	}
	var errs []error
	for _, s := range measure.Chosen(steps(), r.o.Options) {
		measure.Progress("%s", s.Name)
		began := time.Now()
		err := s.Run(r, ctx)
		measure.Progress("%s took %.0f s", s.Name, time.Since(began).Seconds())
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", s.Name, err)
		measure.Progress("%v", err)
		r.table.Note(err.Error())
		errs = append(errs, err)
		if err := r.repair(ctx); err != nil {
			errs = append(errs, fmt.Errorf("repair: %w", err))
			break
		}
	}
	return errors.Join(errs...)
}

// add adds a figure to the table, and prints it as progress.
func (r *run) add(f figures.Figure) { measure.Add(&r.table, f) }

// until waits until check returns nil, and returns its last error when that
// takes too long.
func until(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // else it says only that time is up
			last = err
		}
		if pause(ctx, look) != nil {
			return fmt.Errorf("%s: %w", what, last)
		}
	}
}

// pause waits for so long, and returns an error when ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// milliseconds returns d as a sample.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// family names the family of an address.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
