package main

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"

	"github.com/heraldlb/herald/lab/figures"
)

// cpuTimes are the processor seconds of each program: all its processes
// together.
type cpuTimes map[string]float64

// minus returns what t has more than old.
func (t cpuTimes) minus(old cpuTimes) cpuTimes {
	out := cpuTimes{}
	for name, s := range t {
		out[name] = max(0, s-old[name])
	}
	return out
}

// cpu returns what the cluster's daemons, Herald's pods and this program have
// used until now.
func (b *bench) cpu(ctx context.Context) (cpuTimes, error) {
	out := cpuTimes{}
	add := func(name string, pid int) error {
		s, err := cpuSeconds(pid)
		out[name] += s
		return err
	}
	for name, pids := range b.daemons {
		for _, pid := range pids {
			if err := add(name, pid); err != nil {
				return nil, err
			}
		}
	}
	if err := add("this program, with its watches", os.Getpid()); err != nil {
		return nil, err
	}
	controllers, err := b.controllers(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range controllers {
		if p.leads {
			out["Herald's controller that acts"] += p.metrics[metricCPU]
		} else {
			out["Herald's controller that stands by"] += p.metrics[metricCPU]
		}
	}
	speakers, err := b.pods(ctx, "speaker")
	if err != nil {
		return nil, err
	}
	for _, p := range speakers {
		m, err := b.metrics(ctx, p.Name, speakerPort)
		if err != nil {
			return nil, err
		}
		out["Herald's speakers"] += m[metricCPU]
	}
	return out, nil
}

// tellCPU adds to the table what each program used in a phase, the median of
// its runs; what uses next to nothing is left out.
func (b *bench) tellCPU(phase string, runs []cpuTimes) {
	b.table.Part("processor seconds " + phase)
	var all []float64
	of := map[string][]float64{}
	for _, r := range runs {
		sum := 0.0
		for name, s := range r {
			of[name] = append(of[name], s)
			sum += s
		}
		all = append(all, sum)
	}
	const little = 0.1
	for _, name := range slices.SortedFunc(maps.Keys(of), func(x, y string) int { return cmp.Compare(figures.Median(of[y]), figures.Median(of[x])) }) {
		if figures.Median(of[name]) >= little {
			b.table.add(name, "s", nothing, of[name]...)
		}
	}
	b.table.add("all of them", "s", nothing, all...)
}
