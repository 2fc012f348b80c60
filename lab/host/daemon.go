package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// poll is how often something that must happen is looked for.
const poll = 20 * time.Millisecond

// Daemon is a program to run on a host until it is killed.
type Daemon struct {
	Host string
	// Name is unique on the host.
	Name string
	Args []string
	// Env is added to this program's own environment.
	Env []string
}

// Start starts d, unless it runs already, and records it: what it is before it
// starts, and its pid after. It does not wait for it to be of use. On a node it
// gets the node's mount namespace too. What it prints goes to HOST/NAME.log in
// the lab's directory.
func Start(s *state.Store, d Daemon) error {
	l := s.Lab()
	if _, err := l.Host(d.Host); err != nil {
		return err
	}
	if old, ok := l.Process(d.Host, d.Name); ok && Alive(old) {
		return nil
	}
	p := state.Process{Host: d.Host, Name: d.Name, Args: d.Args, Env: d.Env, Log: l.Path(d.Host, d.Name+".log")}
	if err := s.Update(func(l *state.Lab) error { l.SetProcess(p); return nil }); err != nil {
		return err
	}
	return spawn(s, p)
}

// Restart starts a recorded daemon that was killed, as it was first started.
func Restart(s *state.Store, host, name string) error {
	p, ok := s.Lab().Process(host, name)
	if !ok {
		return fmt.Errorf("process %q on host %q: never started; there are %v", name, host, daemonNames(s.Lab(), host))
	}
	if Alive(p) {
		return nil
	}
	p.Killed = false
	return spawn(s, p)
}

// daemonNames lists the daemons recorded for a host.
func daemonNames(l *state.Lab, host string) []string {
	var out []string
	for _, p := range l.Processes {
		if p.Host == host {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

// spawn runs p and records its pid.
func spawn(s *state.Store, p state.Process) error {
	l := s.Lab()
	h, err := l.Host(p.Host)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // nothing was written here
	c := daemonCommand(l, h, p)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s on %s: %w", p.Name, p.Host, err)
	}
	p.PID = c.Process.Pid
	p.Born, _, err = stat(p.PID)
	if err != nil {
		return fmt.Errorf("start %s on %s: %w", p.Name, p.Host, err)
	}
	return s.Update(func(l *state.Lab) error { l.SetProcess(p); return nil })
}

// daemonCommand returns the command of p: in a session of its own, so that no
// terminal and no parent takes it along.
func daemonCommand(l *state.Lab, h state.Host, p state.Process) *exec.Cmd {
	ctx := context.Background() // a daemon outlives the verb that starts it
	c := Command(ctx, l, p.Host, p.Args...)
	if h.Role == state.Node {
		c = nodeCommand(ctx, l, p.Host, p.Args...)
	}
	c.Dir = "/"
	c.Env = append(os.Environ(), p.Env...)
	c.Env = append(c.Env, fmt.Sprintf("%s=%s/%s/%s", marker, l.Name, p.Host, p.Name))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c
}

// Kill sends sig to the daemon called name on host and, when sig ends it,
// records that this was meant and waits until it is gone. A daemon that was
// killed before is none to end again; else it is ErrNotRunning.
func Kill(ctx context.Context, s *state.Store, host, name string, sig syscall.Signal) error {
	p, ok := s.Lab().Process(host, name)
	if ok && p.Killed && ends(sig) && !Alive(p) {
		return nil
	}
	if !ok || !Alive(p) {
		return fmt.Errorf("process %q on host %q: %w", name, host, ErrNotRunning)
	}
	if ends(sig) {
		p.Killed = true
		if err := s.Update(func(l *state.Lab) error { l.SetProcess(p); return nil }); err != nil {
			return err
		}
	}
	if err := syscall.Kill(p.PID, sig); err != nil {
		return fmt.Errorf("signal %s on %s: %w", name, host, err)
	}
	if !ends(sig) {
		return nil
	}
	return waitUntil(ctx, func() bool { return !Alive(p) })
}

// ErrNotRunning says that there is no such process on a host.
var ErrNotRunning = fmt.Errorf("not running")

// ends reports whether sig normally ends a process.
func ends(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT:
		return true
	default:
		return false
	}
}

// waitUntil asks ok until it is true or ctx ends.
func waitUntil(ctx context.Context, ok func() bool) error {
	t := time.NewTicker(poll)
	defer t.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}
