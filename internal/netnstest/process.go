package netnstest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownEnv is in the environment of a process that Main has started.
const ownEnv = "HERALD_TEST_OWN_NETNS"

// own is the namespace of a process that Main has started. It is opened before the
// first test: later the main thread, which /proc/self is about, may be in another
// one, because it does not end with the goroutine that moved it.
var own *Namespace

// Main is for the TestMain of a package whose code opens sockets in goroutines of
// its own, where Do does not reach. It runs the tests in another process, which is
// alone in a namespace that Own returns, and exits as that does. Without the
// privilege to make one it runs them here.
func Main(m *testing.M) {
	if os.Getenv(ownEnv) != "" {
		f, err := os.Open("/proc/thread-self/ns/net")
		if err := errors.Join(err, change("lo", netlink.LinkSetUp)); err != nil {
			panic(err)
		}
		own = &Namespace{f: f, outlives: true}
		os.Exit(m.Run())
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // which Pdeathsig is about
	err := cmd.Run()
	if errors.Is(err, unix.EPERM) {
		os.Exit(m.Run())
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		panic(err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

// Own returns the namespace of this process, which Main has made. It outlives the
// test; links that Veth makes in it do not.
func Own(t testing.TB) *Namespace {
	t.Helper()
	if own == nil {
		Need(t, "the privilege to make network namespaces")
	}
	return own
}
