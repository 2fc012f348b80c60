package drive

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// endTime is how long a verb that was asked to end may take to do so.
const endTime = 20 * time.Second

// A Lab is the lab program and the name of the lab to run it on.
type Lab struct {
	program, name string
}

// New returns the lab called name; root is the repository's, which has the
// program in its build directory.
func New(root, name string) (*Lab, error) {
	program, err := filepath.Abs(filepath.Join(root, "build", "lab"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the lab program is not built (make build): %w", err)
	}
	return &Lab{program: program, name: name}, nil
}

// Name returns the name of the lab.
func (l *Lab) Name() string { return l.name }

// Command returns the lab program with verb and args for this lab. When ctx
// ends, the verb is asked to end and may still report.
func (l *Lab) Command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.program, append([]string{verb, "--name", l.name}, args...)...)
	cmd.Dir = filepath.Dir(filepath.Dir(l.program)) // the repository's root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endTime
	return cmd
}

// Output runs a verb and returns its standard output.
func (l *Lab) Output(ctx context.Context, verb string, args ...string) ([]byte, error) {
	out, err := l.feed(ctx, "", verb, args...)
	if err != nil {
		return out, fmt.Errorf("lab %s %s: %w", verb, strings.Join(args, " "), err)
	}
	return out, nil
}

// Show runs a verb with its progress on this program's own standard error.
func (l *Lab) Show(ctx context.Context, verb string, args ...string) error {
	cmd := l.Command(ctx, verb, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("lab %s %s: %w", verb, strings.Join(args, " "), err)
	}
	return nil
}

// Kubectl runs kubectl with stdin and returns its standard output.
func (l *Lab) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	out, err := l.feed(ctx, stdin, "kubectl", append([]string{"--"}, args...)...)
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// feed runs a verb with stdin; an error carries what it complained of.
func (l *Lab) feed(ctx context.Context, stdin, verb string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := l.Command(ctx, verb, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
