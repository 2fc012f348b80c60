package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	labName = flag.String("lab.name", "e2e", "name of the lab that the tests run in")
	labKeep = flag.Bool("lab.keep", false, "leave the lab running after the tests, and use one that runs")
)

// poll is how often a condition is looked at.
const poll = 50 * time.Millisecond

// lab runs a verb that must succeed.
func (c *cluster) lab(t *testing.T, verb string, args ...string) string {
	t.Helper()
	out, err := c.Output(t.Context(), verb, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// kubectl runs kubectl, which must succeed.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies a YAML stream and deletes it again at the end of the test.
func (c *cluster) apply(t *testing.T, manifest string) {
	t.Helper()
	c.applyWithin(t, manifest, 0)
}

// applyWithin is apply that tries again for so long: an API server that has
// just started refuses for a moment what it will take.
func (c *cluster) applyWithin(t *testing.T, manifest string, limit time.Duration) {
	t.Helper()
	for start := time.Now(); ; <-time.After(time.Second) {
		_, err := c.Kubectl(t.Context(), manifest, "apply", "-f", "-")
		if err == nil {
			break
		}
		if time.Since(start) >= limit {
			t.Fatalf("%v\n%s", err, manifest)
		}
		t.Log(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := c.Kubectl(ctx, manifest, "delete", "--ignore-not-found", "--wait=false", "-f", "-")
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
}

// cleanly runs kubectl at the end of a test, also when the test was given up.
func (c *cluster) cleanly(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Kubectl(ctx, "", args...); err != nil {
		t.Error(err)
	}
}

// refused applies a YAML stream that the API server must refuse with a message
// that has every one of words.
func (c *cluster) refused(t *testing.T, manifest string, words ...string) {
	t.Helper()
	_, err := c.Kubectl(t.Context(), manifest, "apply", "-f", "-")
	if err == nil {
		t.Errorf("applied, want it refused:\n%s", manifest)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("refused with %q, want a message with %q", err, w)
		}
	}
}

// eventually waits until check returns nil, and fails with its last error
// after limit.
func eventually(t *testing.T, limit time.Duration, what string, check func(context.Context) error) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return time.Since(start)
		}
		if last == nil || ctx.Err() == nil { // else it says only that time is up
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, limit, last)
		}
	}
}

// always checks that check returns nil for as long as d.
func always(t *testing.T, d time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	tick := time.NewTicker(5 * poll)
	defer tick.Stop()
	for {
		if err := check(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// errNot is an error that says what something is instead of what was wanted.
func errNot(got, want any) error {
	return errors.New(strings.TrimSpace(fmt.Sprintf("got %v, want %v", got, want)))
}
