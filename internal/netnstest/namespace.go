package netnstest

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// requiredEnv set to requiredValue has Need fail a test.
const (
	requiredEnv   = "HERALD_WIRE_TESTS"
	requiredValue = "required"
)

// Need ends a test that needs what is not there: it is skipped, or failed where
// tests on the wire are required.
func Need(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(requiredEnv) == requiredValue {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("needs %s", what)
}

// A Namespace is a network namespace of a test.
type Namespace struct {
	f        *os.File
	outlives bool // the test
}

// New makes a namespace with its loopback up. It needs the privilege to.
func New(t testing.TB) *Namespace {
	t.Helper()
	var n Namespace
	err := onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		n.f, err = os.Open("/proc/thread-self/ns/net")
		return errors.Join(err, change("lo", netlink.LinkSetUp))
	})
	if errors.Is(err, unix.EPERM) {
		Need(t, "the privilege to make network namespaces")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.f.Close() })
	return &n
}

// Do runs fn on a thread in the namespace and waits for it. What fn starts in
// goroutines of its own runs outside; sockets stay where they were opened.
func (n *Namespace) Do(fn func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return fn()
	})
}

// Must is Do, and fails the test on an error.
func (n *Namespace) Must(t testing.TB, fn func() error) {
	t.Helper()
	if err := n.Do(fn); err != nil {
		t.Fatal(err)
	}
}

// DoWithNetRaw is Do with no capability but NET_RAW, as in the speaker's pod.
func (n *Namespace) DoWithNetRaw(fn func() error) error {
	return n.Do(func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		raw := unix.CapUserData{Effective: 1 << unix.CAP_NET_RAW, Permitted: 1 << unix.CAP_NET_RAW}
		if err := unix.Capset(&header, &[]unix.CapUserData{raw, {}}[0]); err != nil {
			return err
		}
		return fn()
	})
}

// onThread runs fn on a thread that ends with it, whatever fn did to it.
func onThread(fn func() error) error {
	c := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		c <- fn()
	}()
	return <-c
}
