package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/heraldlb/herald/lab/state"
)

// CreateRun makes the lab's directory of sockets, a file system of its own.
func CreateRun(ctx context.Context, l *state.Lab) error {
	if err := os.MkdirAll(l.RunDir, 0o755); err != nil {
		return err
	}
	if err := run(ctx, "mount", "-t", "tmpfs", "-o", "mode=0755", "lab-"+l.Name, l.RunDir); err != nil {
		return err
	}
	// A name for a mount namespace must not propagate into that namespace.
	if err := run(ctx, "mount", "--make-private", l.RunDir); err != nil {
		return err
	}
	return os.MkdirAll(l.RunPath("ns"), 0o755)
}

// CreateMounts makes the mount namespace of a node. In it /run, /var/lib and
// /var/log hold the lab's own directories and nothing else: what container
// tools leave there whatever they are told (shim sockets, CNI's results, the
// kubelet's device plugins, links to container logs) stays with the node.
func CreateMounts(ctx context.Context, l *state.Lab, node string) error {
	ns, hold := mountPath(l, node), l.RunPath("hold-"+node)
	if err := os.MkdirAll(hold, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(ns, nil, 0o600); err != nil {
		return err
	}
	script := fmt.Sprintf(mountScript, l.Dir, l.RunDir, hold)
	return run(ctx, "unshare", "--mount="+ns, "--propagation=private", "sh", "-c", script)
}

// mountScript takes the lab's directory, that of its sockets, and an empty
// directory below that. Names of namespaces and directories of other labs are
// unmounted first, because a mount here would keep them alive; at the end
// mounts propagate, which the kubelet wants for those it makes for containers.
const mountScript = `set -e
dir=%[1]s run=%[2]s hold=%[3]s
for m in /run/netns "$(dirname $run)"/*; do
	[ $m = $run ] || umount -R -l $m 2>/dev/null || true
done
mount --bind $dir $hold
mount -t tmpfs lab /var/lib
mkdir -p $dir /var/lib/hold
mount --move $hold $dir
mount --bind $run /var/lib/hold
mount -t tmpfs lab /run
mkdir -p $run
mount --move /var/lib/hold $run
mount -t tmpfs lab /var/log
mount --make-rshared /
`

// removeMount forgets the mount namespace of a node, which ends with the last
// process in it.
func removeMount(l *state.Lab, node string) error {
	ns := mountPath(l, node)
	if !exists(ns) {
		return nil
	}
	_ = syscall.Unmount(ns, syscall.MNT_DETACH)
	return os.Remove(ns)
}

// unmountBelow unmounts everything at and below the lab's directories, the
// deepest first.
func unmountBelow(l *state.Lab) error {
	points, err := mountsBelow(l.Dir, l.RunDir)
	if err != nil {
		return err
	}
	for _, p := range points {
		if err := syscall.Unmount(p, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	return nil
}

// mountsBelow lists the mount points at and below dirs, last mounted first.
func mountsBelow(dirs ...string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var out []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		if len(fields) < 5 {
			continue
		}
		at := fields[4]
		if slices.ContainsFunc(dirs, func(d string) bool { return at == d || strings.HasPrefix(at, d+"/") }) {
			out = append(out, at)
		}
	}
	slices.Reverse(out)
	return out, nil
}
