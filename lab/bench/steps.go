package main

import (
	"context"
	"fmt"
	"time"

	"github.com/heraldlb/herald/lab/measure"
)

// What is wanted of the figures.
const (
	maxRatio   = 1.25
	maxChurn   = 100 // milliseconds
	maxRestart = 3   // seconds
	// minChurns is how often one Service is replaced at least.
	minChurns = 9
)

// burst creates n Services at once where there were none, and measures how
// long until all have addresses, and what was written for it.
func (b *bench) burst(ctx context.Context, n int) error {
	if err := b.deleteServices(ctx, b.ours); err != nil {
		return err
	}
	before, err := b.quiet(ctx)
	if err != nil {
		return err
	}
	cpu, err := cpuSeconds(b.apiServer)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.createServices(ctx, b.ours.namespace, "", n); err != nil {
		return err
	}
	created := time.Now()
	done, err := b.ours.allAssigned(ctx, n)
	if err != nil {
		return err
	}
	b.table.Part(fmt.Sprintf("%d Services created in a burst, %d at a time", n, creators))
	b.table.add("first create to last create", "s", nothing, created.Sub(began).Seconds())
	b.table.add("first create to all assigned", "s", nothing, done.Sub(began).Seconds())
	b.table.add("last create to all assigned", "s", nothing, max(0, done.Sub(created).Seconds()))
	after, err := b.quiet(ctx)
	if err != nil {
		return err
	}
	cpuAfter, err := cpuSeconds(b.apiServer)
	if err != nil {
		return err
	}
	b.table.add("kube-apiserver, CPU", "s", nothing, cpuAfter-cpu)
	b.tellWrites("a Service", after.minus(before), n)
	return b.usage(ctx, fmt.Sprintf("%d assigned", n))
}

// churn deletes one Service and creates another at once, again and again, and
// measures how long the new one is without an address.
func (b *bench) churn(ctx context.Context) error {
	if err := b.filled(ctx); err != nil {
		return err
	}
	n := max(b.o.Runs, minChurns)
	var waited, created, written []float64
	total := tally{}
	for i := range n {
		before, err := b.quiet(ctx)
		if err != nil {
			return err
		}
		if err := b.deleteService(ctx, b.ours.namespace, serviceName(i)); err != nil {
			return err
		}
		d, answered, err := b.next(ctx, fmt.Sprintf("next-%03d", i))
		if err != nil {
			return err
		}
		after, err := b.quiet(ctx)
		if err != nil {
			return err
		}
		waited, created = append(waited, milliseconds(d)), append(created, milliseconds(answered))
		step := after.minus(before)
		written = append(written, float64(step.total()))
		for w, k := range step {
			total[w] += k
		}
	}
	b.table.Part("one Service deleted and another created at once, beside all the others")
	b.table.add("create to its address", "ms", maxChurn, waited...)
	b.table.add("- of that, the API server's answer to create", "ms", nothing, created...)
	b.table.add("writes, all of Herald's", "writes", nothing, written...)
	b.tellWrites("a step", total, n)
	return nil
}

// next creates a Service, and returns how long until it has an address, and how
// long the API server took to create it.
func (b *bench) next(ctx context.Context, name string) (assigned, created time.Duration, err error) {
	began := time.Now()
	if err := b.createService(ctx, b.ours.namespace, name, ""); err != nil {
		return 0, 0, err
	}
	created = time.Since(began)
	at, err := b.ours.assignedAt(ctx, name)
	return at.Sub(began), created, err
}

// milliseconds returns a duration in milliseconds.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// compare measures how long Herald takes to assign addresses to Services that
// all wait for one, and beside it how long a loop takes that does nothing but
// write as many statuses.
func (b *bench) compare(ctx context.Context) error {
	if err := b.filled(ctx); err != nil {
		return err
	}
	n := b.ours.now().services
	if b.bare.now().services != n { // a lab that was kept has them
		if err := b.createServices(ctx, b.bare.namespace, otherClass, n); err != nil {
			return err
		}
	}
	var bare, ours, ratio []float64
	var bareCPU, oursCPU []cpuTimes
	written := tally{}
	for i := range b.o.Runs {
		c, err := b.compareOnce(ctx, n, i)
		if err != nil {
			return err
		}
		measure.Progress("run %d: bare %v, Herald %v", i+1, c.bare, c.ours)
		bare, ours, ratio = append(bare, c.bare.Seconds()), append(ours, c.ours.Seconds()), append(ratio, c.ours.Seconds()/c.bare.Seconds())
		bareCPU, oursCPU = append(bareCPU, c.bareCPU), append(oursCPU, c.oursCPU)
		for w, k := range c.written {
			written[w] += k
		}
	}
	b.table.Part(fmt.Sprintf("%d pending Services get a pool, beside a loop that only patches as many statuses", n))
	b.table.add(fmt.Sprintf("bare loop, %d at a time", writers), "s", nothing, bare...)
	b.table.add("pool created to all assigned", "s", nothing, ours...)
	b.table.add("ratio", "", maxRatio, ratio...)
	b.tellWrites("a Service", written, n*b.o.Runs)
	b.tellCPU("while the bare loop ran", bareCPU)
	b.tellCPU("until Herald had assigned all", oursCPU)
	return b.usage(ctx, fmt.Sprintf("%d assigned, and %d of another class", n, n))
}

// A comparison is one run of the bare loop and one of Herald.
type comparison struct {
	bare, ours       time.Duration
	bareCPU, oursCPU cpuTimes
	written          tally
}

// compareOnce makes n Services wait, runs the bare loop, and gives the Services
// a pool.
func (b *bench) compareOnce(ctx context.Context, n, run int) (c comparison, err error) {
	if err = b.withdraw(ctx, n); err != nil {
		return c, err
	}
	c.bare, c.bareCPU, err = b.using(ctx, func() (time.Duration, error) { return b.patchAll(ctx, run) })
	if err != nil {
		return c, err
	}
	before, err := b.quiet(ctx)
	if err != nil {
		return c, err
	}
	c.ours, c.oursCPU, err = b.using(ctx, func() (time.Duration, error) { return b.assignAll(ctx, n) })
	if err != nil {
		return c, err
	}
	after, err := b.quiet(ctx)
	c.written = after.minus(before)
	return c, err
}

// using does something, and returns what every program used meanwhile.
func (b *bench) using(ctx context.Context, do func() (time.Duration, error)) (time.Duration, cpuTimes, error) {
	before, err := b.cpu(ctx)
	if err != nil {
		return 0, nil, err
	}
	d, err := do()
	if err != nil {
		return 0, nil, err
	}
	after, err := b.cpu(ctx)
	return d, after.minus(before), err
}

// withdraw takes the pool away until n Services wait for one.
func (b *bench) withdraw(ctx context.Context, n int) error {
	if err := b.deletePool(ctx); err != nil {
		return err
	}
	if err := b.ours.allPending(ctx, n); err != nil {
		return err
	}
	_, err := b.quiet(ctx)
	return err
}

// patchAll writes the status of each Service of the bare loop once.
func (b *bench) patchAll(ctx context.Context, run int) (time.Duration, error) {
	began := time.Now()
	err := sideBySide(ctx, writers, b.bare.now().services, func(ctx context.Context, i int) error {
		return b.patchStatus(ctx, b.bare, serviceName(i), fmt.Sprintf("10.%d.%d.%d", 201+run%50, i/250, i%250))
	})
	return time.Since(began), err
}

// assignAll gives the n Services that wait a pool.
func (b *bench) assignAll(ctx context.Context, n int) (time.Duration, error) {
	began := time.Now()
	if err := b.createPool(ctx); err != nil {
		return 0, err
	}
	done, err := b.ours.allAssigned(ctx, n)
	return done.Sub(began), err
}
