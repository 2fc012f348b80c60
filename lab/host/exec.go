package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// netnsDir is where network namespaces have names.
const netnsDir = "/run/netns"

// switchName is the host name of the switch, which is in no list of hosts.
const switchName = "switch"

// Command returns a command that runs argv in the network namespace of host.
// The command's pid becomes that of argv itself.
func Command(ctx context.Context, l *state.Lab, host string, argv ...string) *exec.Cmd {
	args := append([]string{"--net=" + netnsPath(l, host), "--"}, argv...)
	return exec.CommandContext(ctx, "nsenter", args...)
}

// nodeCommand is Command in the mount namespace of a node as well.
func nodeCommand(ctx context.Context, l *state.Lab, node string, argv ...string) *exec.Cmd {
	args := append([]string{"--net=" + netnsPath(l, node), "--mount=" + mountPath(l, node), "--"}, argv...)
	return exec.CommandContext(ctx, "nsenter", args...)
}

func netnsPath(l *state.Lab, host string) string {
	return filepath.Join(netnsDir, l.Netns(host))
}

func mountPath(l *state.Lab, node string) string {
	return l.RunPath("ns", node)
}

// Output runs argv on host and returns what it printed. An error carries what
// it complained of.
func Output(ctx context.Context, l *state.Lab, host string, argv ...string) ([]byte, error) {
	return output(Command(ctx, l, host, argv...), argv)
}

// output runs c, which the error calls argv.
func output(c *exec.Cmd, argv []string) ([]byte, error) {
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// run runs a command on this machine.
func run(ctx context.Context, argv ...string) error {
	_, err := output(exec.CommandContext(ctx, argv[0], argv[1:]...), argv)
	return err
}

// Tool returns a command that runs argv on this machine for the lab, and is
// known as the lab's if this program dies before it ends.
func Tool(ctx context.Context, l *state.Lab, argv ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), marker+"="+l.Name+"//"+argv[0])
	return c
}

// batch runs lines of `ip` in the network namespace called netns, "" for this
// machine's own, and stops at the first that fails. Lines that begin with "-6 "
// come after all others.
func batch(ctx context.Context, netns string, lines []string) error {
	var plain, six []string
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "-6 "); ok {
			six = append(six, rest)
			continue
		}
		plain = append(plain, line)
	}
	if err := batchFamily(ctx, netns, nil, plain); err != nil {
		return err
	}
	return batchFamily(ctx, netns, []string{"-6"}, six)
}

// batchFamily is batch for lines of one family.
func batchFamily(ctx context.Context, netns string, flags, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if netns != "" {
		flags = append(flags, "-n", netns)
	}
	c := exec.CommandContext(ctx, "ip", append(flags, "-batch", "-")...)
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip in %s: %w: %s", netns, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// exists reports whether there is anything at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
