package probe

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// Config says what to ask and how often.
type Config struct {
	// URL is what each probe asks for.
	URL string
	// Every is the time from the start of one probe to the start of the next.
	Every time.Duration
	// For is how long new probes are started.
	For time.Duration
	// Timeout bounds one probe, from its start to the end of its answer.
	Timeout time.Duration
}

// Validate says what is wrong with c, or nil.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("url %q: want http://HOST[:PORT]/", c.URL)
	}
	var errs []error
	for name, d := range map[string]time.Duration{"every": c.Every, "for": c.For, "timeout": c.Timeout} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s %s: must be more than 0", name, d))
		}
	}
	return errors.Join(errs...)
}

// Result is what became of one probe.
type Result struct {
	// At is when the probe started, since the start of the run.
	At time.Duration
	// Late is how much later than planned it started, because this machine was
	// busy.
	Late time.Duration
	// Took is how long the answer took, or how long it took to fail.
	Took time.Duration
	// Pod, Node and Client are what an echo backend said; empty otherwise.
	Pod, Node, Client string
	// Reason says why the probe failed; empty means a good answer.
	Reason string
}

// Run probes until c.For is over or ctx ends, waits for the probes under way,
// and reports. A run that was ended early reports what it saw until then.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	results := schedule(ctx, c, newGetter(c.URL).get)
	return Summarize(c, start, time.Since(start), results), nil
}

// schedule starts ask every c.Every for as long as c.For, each time with its
// own deadline, and returns all results in the order of their starts. Probes
// that the end of ctx cut short are left out.
func schedule(ctx context.Context, c Config, ask func(context.Context) Result) []Result {
	var (
		wg      sync.WaitGroup
		results = make([]Result, c.For/c.Every+1) // each probe writes its own
		done    = make([]bool, len(results))
	)
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range results {
		due := time.Duration(i) * c.Every
		if due >= c.For || !waitUntil(ctx, timer, start.Add(due)) {
			break
		}
		wg.Go(func() {
			at := time.Since(start)
			one, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			r := ask(one)
			r.At, r.Late, r.Took = at, at-due, time.Since(start)-at
			results[i], done[i] = r, ctx.Err() == nil || r.Reason == ""
		})
	}
	wg.Wait()

	var out []Result
	for i, r := range results {
		if done[i] {
			out = append(out, r)
		}
	}
	return out
}

// waitUntil waits for the time t and reports whether it came before ctx ended.
func waitUntil(ctx context.Context, timer *time.Timer, t time.Time) bool {
	timer.Reset(time.Until(t))
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
