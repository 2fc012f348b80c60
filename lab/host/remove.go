package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// sweepTime bounds how long the kernel may take to end what was killed.
const sweepTime = 20 * time.Second

// RemoveAll ends every process of the lab and removes its namespaces, links,
// mounts and cgroups, whatever of them there is. It leaves the lab's files.
func RemoveAll(ctx context.Context, l *state.Lab) error {
	if err := sweep(ctx, l, ""); err != nil {
		return err
	}
	var errs []error
	files, _ := filepath.Glob(l.RunPath("ns", "*")) // the pattern is well formed
	for _, f := range files {
		errs = append(errs, removeMount(l, filepath.Base(f)))
	}
	errs = append(errs, removeNetns(ctx, l.Netns("*")))
	if exists("/sys/class/net/" + l.ManagementLink()) {
		errs = append(errs, run(ctx, "ip", "link", "del", l.ManagementLink()))
	}
	errs = append(errs, unmountBelow(l), os.RemoveAll(l.RunDir), removeCgroups(ctx, l.Cgroup("")))
	_ = os.Remove(filepath.Dir(l.RunDir)) // only when no other lab is in it
	return errors.Join(errs...)
}

// Remove ends and removes one host. The lab's file still has it.
func Remove(ctx context.Context, l *state.Lab, host string) error {
	if err := sweep(ctx, l, host); err != nil {
		return err
	}
	errs := []error{removeMount(l, host), removeNetns(ctx, l.Netns(host))}
	// The namespace takes the link along, but only when nothing holds it.
	for _, port := range []string{host, secondPort(host)} {
		if run(ctx, "ip", "-n", l.Netns(switchName), "link", "show", port) == nil {
			errs = append(errs, run(ctx, "ip", "-n", l.Netns(switchName), "link", "del", port))
		}
	}
	errs = append(errs, removeCgroups(ctx, l.Cgroup(host)), os.RemoveAll(l.RunPath(host)), os.RemoveAll(l.RunPath("hold-"+host)), os.RemoveAll(l.Path(host)))
	return errors.Join(errs...)
}

// sweep kills the lab's processes, or those of one host, until there are none.
// Those that a dying one starts are found in the next round.
func sweep(ctx context.Context, l *state.Lab, host string) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	for {
		left, err := processes(l, host)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, pid := range left {
			// ESRCH: it went by itself.
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v: still there: %w", left, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// removeNetns deletes the network namespaces whose names match pattern.
func removeNetns(ctx context.Context, pattern string) error {
	files, err := filepath.Glob(filepath.Join(netnsDir, pattern))
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, run(ctx, "ip", "netns", "del", filepath.Base(f)))
	}
	return errors.Join(errs...)
}

// Leftovers lists what of the lab is still on this machine besides its
// directory of files: nothing, after RemoveAll.
func Leftovers(l *state.Lab) []string {
	var out []string
	left, err := processes(l, "")
	if err != nil {
		out = append(out, err.Error())
	}
	for _, pid := range left {
		cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		out = append(out, fmt.Sprintf("process %d: %s", pid, strings.ReplaceAll(string(cmd), "\x00", " ")))
	}
	netns, _ := filepath.Glob(filepath.Join(netnsDir, l.Netns("*")))
	out = append(out, netns...)
	out = append(out, cgroups(l.Cgroup(""))...)
	mounts, err := mountsBelow(l.Dir, l.RunDir)
	if err != nil {
		out = append(out, err.Error())
	}
	out = append(out, mounts...)
	for _, path := range []string{"/sys/class/net/" + l.ManagementLink(), l.RunDir} {
		if exists(path) {
			out = append(out, path)
		}
	}
	return out
}
