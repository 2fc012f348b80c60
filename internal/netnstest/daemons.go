package netnstest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Daemons are programs that a test runs in a namespace, and their files.
type Daemons struct {
	t       testing.TB
	ns      *Namespace
	dir     string
	running []daemon
}

// A daemon is a program that runs.
type daemon struct {
	*exec.Cmd
	// watchdog is a process that kills the program when alive ends before a line.
	watchdog *exec.Cmd
	alive    io.WriteCloser
}

// NewDaemons returns none, to be run in n. They are killed when the test ends.
func NewDaemons(t testing.TB, n *Namespace) *Daemons {
	t.Helper()
	dir, err := os.MkdirTemp("", "netnstest") // t.TempDir is closed to a daemon that drops its privileges
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &Daemons{t: t, ns: n, dir: dir}
	t.Cleanup(d.Kill)
	return d
}

// Path returns where the file of a name is.
func (d *Daemons) Path(name string) string { return filepath.Join(d.dir, name) }

// File writes a file and returns its path.
func (d *Daemons) File(name, text string) string {
	d.t.Helper()
	if err := os.WriteFile(d.Path(name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	return d.Path(name)
}

// Run starts a program that stays in the foreground. What it says is logged if
// the test fails.
func (d *Daemons) Run(name string, args ...string) {
	d.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Need(d.t, name)
	}
	// FRR's daemons keep files in /var/tmp, whatever they are told.
	args = append([]string{"--mount", "--", "sh", "-c", `mount -t tmpfs netnstest /var/tmp && exec "$0" "$@"`, name}, args...)
	cmd := exec.Command("unshare", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	d.ns.Must(d.t, cmd.Start)
	d.running = append(d.running, d.watch(cmd))
	d.t.Cleanup(func() {
		if d.Kill(); d.t.Failed() {
			d.t.Logf("%s:\n%s", name, out.String())
		}
	})
}

// watch has a program killed if this one dies.
func (d *Daemons) watch(cmd *exec.Cmd) daemon {
	d.t.Helper()
	w := exec.Command("sh", "-c", `read -r line || kill -9 "$0"`, strconv.Itoa(cmd.Process.Pid))
	alive, err := w.StdinPipe()
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		_ = cmd.Process.Kill()
		d.t.Fatal(errors.Join(err, cmd.Wait()))
	}
	return daemon{cmd, w, alive}
}

// Kill ends all without a word, by SIGKILL, and waits until they have ended.
func (d *Daemons) Kill() {
	for _, r := range d.running {
		_ = r.Process.Kill()
		_ = r.Wait()
		_, _ = io.WriteString(r.alive, "ended\n")
		_ = r.watchdog.Wait()
	}
	d.running = nil
}

// Ask runs a command in the namespace and returns all that it says, whether it
// succeeds or not.
func (d *Daemons) Ask(name string, args ...string) []byte {
	var out []byte
	_ = d.ns.Do(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	return out
}

// await waits until a daemon listens at a socket in the file system, whose file is
// there a moment before.
func (d *Daemons) await(path string) {
	d.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			d.t.Fatalf("nobody listens at %s after 20 s", path)
		}
	}
}
