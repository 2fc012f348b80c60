package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// A Running is a verb that goes on in the background and prints a report of
// type R when it ends.
type Running[R any] struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// Begin starts a verb in the background. The caller calls Wait or Stop, or Drop
// when nothing is to be known any more.
func Begin[R any](l *Lab, verb string, args ...string) (*Running[R], error) {
	// No context of the caller's: a report is wanted also after an interrupt.
	r := &Running[R]{cmd: l.Command(context.Background(), verb, append([]string{"--json"}, args...)...)}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("lab %s: %w", verb, err)
	}
	return r, nil
}

// Wait waits for the end and returns the report.
func (r *Running[R]) Wait() (*R, error) {
	if err := r.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", r, err, strings.TrimSpace(r.stderr.String()))
	}
	var report R
	if err := json.Unmarshal(r.stdout.Bytes(), &report); err != nil {
		return nil, fmt.Errorf("%s: read JSON: %w", r, err)
	}
	return &report, nil
}

// Stop ends it early and returns the report of what was seen until then.
func (r *Running[R]) Stop() (*R, error) {
	_ = r.cmd.Process.Signal(os.Interrupt) // it may have ended already
	return r.Wait()
}

// Drop ends it, unless its end was waited for, and forgets the report. It is
// asked to end, so that what it runs on a host ends with it.
func (r *Running[R]) Drop() {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Signal(os.Interrupt)
		_ = r.cmd.Wait()
	}
}

// Alive returns an error when it has ended.
func (r *Running[R]) Alive() error { return r.cmd.Process.Signal(syscall.Signal(0)) }

// String returns the command.
func (r *Running[R]) String() string { return "lab " + strings.Join(r.cmd.Args[1:], " ") }
