package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// A runner runs the lab program on one lab.
type runner struct {
	program string
	name    string
}

// newRunner returns a runner for the lab called name.
func newRunner(name string) (*runner, error) {
	program, err := filepath.Abs("../../build/lab")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the lab program is not built (make build): %w", err)
	}
	return &runner{program: program, name: name}, nil
}

// command returns the lab program with verb and args for this lab.
func (r *runner) command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.program, append([]string{verb, "--name", r.name}, args...)...)
	cmd.Dir = "../.."
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// output runs a verb and returns its standard output.
func (r *runner) output(ctx context.Context, verb string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := r.command(ctx, verb, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("lab %s %s: %w: %s", verb, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// show runs a verb with its progress on the test's own output.
func (r *runner) show(ctx context.Context, verb string, args ...string) error {
	cmd := r.command(ctx, verb, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("lab %s %s: %w", verb, strings.Join(args, " "), err)
	}
	return nil
}

// lab runs a verb that must succeed.
func (c *cluster) lab(t *testing.T, verb string, args ...string) string {
	t.Helper()
	out, err := c.output(t.Context(), verb, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// kubectl runs kubectl, which must succeed.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.tryKubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tryKubectl runs kubectl with stdin and returns its output.
func (c *cluster) tryKubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := c.command(ctx, "kubectl", append([]string{"--"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// apply applies a YAML stream and deletes it again at the end of the test.
func (c *cluster) apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := c.tryKubectl(t.Context(), manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := c.tryKubectl(ctx, manifest, "delete", "--ignore-not-found", "--wait=false", "-f", "-")
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
}

// refused applies a YAML stream that the API server must refuse with a message
// that has every one of words.
func (c *cluster) refused(t *testing.T, manifest string, words ...string) {
	t.Helper()
	_, err := c.tryKubectl(t.Context(), manifest, "apply", "-f", "-")
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
	for {
		err := check(ctx)
		if err == nil {
			return time.Since(start)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, limit, err)
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
