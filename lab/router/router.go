package router

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// How often, and how long at most, is looked whether a router answers.
const (
	poll      = 50 * time.Millisecond
	startTime = 15 * time.Second
)

// Start configures the router on h and starts its daemons, unless they run,
// and waits until its command line answers. The daemons can be killed and
// started again one by one by their names: zebra, bgpd and bfdd, or bird.
func Start(ctx context.Context, s *state.Store, h state.Host, o Options) error {
	l := s.Lab()
	if err := configure(l, h, o); err != nil {
		return err
	}
	// All hosts are on one segment: a router that forwards to the segment the
	// packet came from would tell its sender to go around it.
	_, err := host.Output(ctx, l, h.Name, "sysctl", "-q", "-w",
		"net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
	if err != nil {
		return fmt.Errorf("router %s: %w", h.Name, err)
	}
	for _, d := range daemons(l, h) {
		if err := host.Start(s, d.Daemon); err != nil {
			return fmt.Errorf("router %s: %w", h.Name, err)
		}
		if err := d.wait(ctx, s); err != nil {
			return fmt.Errorf("router %s: %w", h.Name, err)
		}
	}
	return nil
}

// Stop ends the daemons of the router on h, the last one started first.
func Stop(ctx context.Context, s *state.Store, h state.Host) error {
	var errs []error
	list := daemons(s.Lab(), h)
	for i := len(list) - 1; i >= 0; i-- {
		err := host.Kill(ctx, s, h.Name, list[i].Name, syscall.SIGTERM)
		if !errors.Is(err, host.ErrNotRunning) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Restart stops the router on h and starts it with another configuration.
func Restart(ctx context.Context, s *state.Store, h state.Host, o Options) error {
	// A mistake in o must leave the router as it is.
	if _, err := Render(h.Kind, o.Config, newValues(s.Lab(), h, o)); err != nil {
		return err
	}
	if err := Stop(ctx, s, h); err != nil {
		return err
	}
	return Start(ctx, s, h, o)
}

// Reload gives the router on h, which runs, another configuration without a
// restart: what is as before goes on undisturbed. BIRD takes it as a whole; FRR
// keeps what it has and takes the lines on top of it.
func Reload(ctx context.Context, l *state.Lab, h state.Host, o Options) error {
	if err := configure(l, h, o); err != nil {
		return err
	}
	if h.Kind == frr {
		_, err := host.Output(ctx, l, h.Name, "vtysh", "--vty_socket", l.RunPath(h.Name), "-f", configPath(l, h))
		return err
	}
	out, err := CLI(ctx, l, h, fmt.Sprintf("configure %q", configPath(l, h)))
	if err == nil && !strings.Contains(string(out), "Reconfigured") && !strings.Contains(string(out), "Reconfiguration in progress") {
		err = fmt.Errorf("router %s: %s", h.Name, strings.TrimSpace(string(out)))
	}
	return err
}

// configure writes the router's configuration and makes the directory of its
// sockets. FRR's daemons leave root behind, so theirs is the user frr's.
func configure(l *state.Lab, h state.Host, o Options) error {
	conf, err := Render(h.Kind, o.Config, newValues(l, h, o))
	if err != nil {
		return err
	}
	path, dir := configPath(l, h), l.RunPath(h.Name)
	for _, d := range []string{filepath.Dir(path), dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, conf, 0o644); err != nil {
		return err
	}
	if h.Kind != frr {
		return nil
	}
	u, err := user.Lookup(frr)
	if err != nil {
		return fmt.Errorf("router %s: %w", h.Name, err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(u.Gid)
	return os.Chown(dir, uid, gid)
}

// configPath returns where the configuration of the router on h is.
func configPath(l *state.Lab, h state.Host) string { return l.Path(h.Name, h.Kind+".conf") }

// daemon is one daemon of a router and how one sees that it is of use.
type daemon struct {
	host.Daemon
	ready func(context.Context) bool
}

// daemons returns the daemons of the router on h in the order they start.
func daemons(l *state.Lab, h state.Host) []daemon {
	dir, conf := l.RunPath(h.Name), configPath(l, h)
	ask := func(command string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			_, err := CLI(ctx, l, h, command)
			return err == nil
		}
	}
	if h.Kind == bird {
		args := []string{"bird", "-f", "-c", conf, "-s", filepath.Join(dir, birdSocket), "-P", filepath.Join(dir, "bird.pid")}
		return []daemon{{host.Daemon{Host: h.Name, Name: bird, Args: args}, ask("show status")}}
	}
	return []daemon{
		{frrDaemon(h, "zebra", conf, dir), ask("show zebra")},
		{frrDaemon(h, "bgpd", conf, dir), ask("show bgp summary json")},
		{frrDaemon(h, "bfdd", conf, dir, "--bfdctl", filepath.Join(dir, "bfdd.sock")), ask("show bfd peers json")},
	}
}

// frrDaemon returns a daemon of FRR on h. Each takes its own part of the one
// file conf and says on its log that it does not know the rest. Sockets in one
// directory of ours spare us a path space, which would be in /run/frr.
func frrDaemon(h state.Host, name, conf, dir string, more ...string) host.Daemon {
	args := []string{
		"unshare", "--mount", "--", "sh", "-c", ownTmp,
		filepath.Join("/usr/lib/frr", name), "-f", conf, "-i", filepath.Join(dir, name+".pid"),
		"--vty_socket", dir, "-z", filepath.Join(dir, "zserv.api"), "-P", "0",
	}
	return host.Daemon{Host: h.Name, Name: name, Args: append(args, more...)}
}

// ownTmp is a script that becomes the program of its arguments with a /var/tmp
// of its own: FRR's daemons keep files there, whatever they are told, and leave
// them when they are killed.
const ownTmp = `mount -t tmpfs lab /var/tmp && exec "$0" "$@"`

// CLI runs commands on the router's own command line and returns what they
// print, one after another.
func CLI(ctx context.Context, l *state.Lab, h state.Host, commands ...string) ([]byte, error) {
	dir := l.RunPath(h.Name)
	if h.Kind == frr {
		argv := []string{"vtysh", "--vty_socket", dir}
		for _, c := range commands {
			argv = append(argv, "-c", c)
		}
		return host.Output(ctx, l, h.Name, argv...)
	}
	var all []byte
	for _, c := range commands {
		out, err := host.Output(ctx, l, h.Name, "birdc", "-s", Socket(l, h), c)
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// wait waits until d is of use, which it never is once it has ended: a mistake
// in its configuration is in the last line of its log then.
func (d daemon) wait(ctx context.Context, s *state.Store) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	t := time.NewTicker(poll)
	defer t.Stop()
	for !d.ready(ctx) {
		if p, ok := s.Lab().Process(d.Host, d.Name); !ok || !host.Alive(p) {
			return fmt.Errorf("%s ended: %s", d.Name, lastLine(p.Log))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", d.Name, ctx.Err())
		case <-t.C:
		}
	}
	return nil
}

// lastLine returns the last line of a file, or what kept it from being read.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(data))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
