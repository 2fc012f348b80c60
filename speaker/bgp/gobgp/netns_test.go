package gobgp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// isNode marks a process that has a network namespace of its own, that of a node.
const isNode = "GOBGP_TEST_NODE"

// TestMain runs the tests again in a network namespace of their own, where there
// is the privilege for it.
func TestMain(m *testing.M) {
	if os.Getenv(isNode) == "" {
		cmd := exec.Command(os.Args[0], os.Args[1:]...)
		cmd.Env = append(os.Environ(), isNode+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		runtime.LockOSThread() // which Pdeathsig is about
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			os.Exit(exit.ExitCode())
		}
		if err == nil {
			os.Exit(0)
		}
		if !errors.Is(err, syscall.EPERM) {
			panic(err)
		}
		os.Exit(m.Run()) // without the privilege; the tests on the wire are skipped
	}
	if err := setUp("lo"); err != nil {
		panic(err)
	}
	if task := os.Getenv(isSpeaker); task != "" {
		speak(task)
	}
	os.Exit(m.Run())
}

// A netns is a network namespace of a router.
type netns struct{ f *os.File }

// newNetns makes a namespace, or skips the test without the privilege.
func newNetns(t testing.TB) *netns {
	t.Helper()
	if os.Getenv(isNode) == "" {
		t.Skip("needs the privilege to make network namespaces")
	}
	type result struct {
		f   *os.File
		err error
	}
	c := make(chan result)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			c <- result{err: err}
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		c <- result{f, err}
	}()
	r := <-c
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { _ = r.f.Close() })
	return &netns{r.f}
}

// do runs fn on a thread in the namespace and waits for it.
func (n *netns) do(fn func() error) error {
	c := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			c <- err
			return
		}
		c <- fn()
	}()
	return <-c
}

// A link is a cable between this node and a router, with the same addresses on
// both ends but for the last part: 1 here, 2 there.
type link struct {
	t      testing.TB
	name   string // of the interface here; it is e0 there
	router *netns
	index  int
}

// links counts the cables, so that no two have the same addresses.
var links int

// newLink plugs in a router.
func newLink(t testing.TB) *link {
	t.Helper()
	links++
	l := &link{t: t, name: fmt.Sprintf("r%d", links), router: newNetns(t), index: links}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: l.name}, PeerName: "e0", PeerNamespace: netlink.NsFd(l.router.f.Fd())}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(veth) })
	if err := errors.Join(l.router.do(func() error {
		return errors.Join(setUp("lo"), l.address("e0", 2))
	}), l.address(l.name, 1)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *link) v4(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, byte(l.index), byte(last)})
}

func (l *link) v6(last int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", l.index, last))
}

func (l *link) linkLocal(last int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fe80::%x:%x", l.index, last))
}

// address gives an interface the addresses of an end, and sets it up.
func (l *link) address(name string, last int) error {
	if err := setUp(name); err != nil {
		return err
	}
	i, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, p := range []netip.Prefix{
		netip.PrefixFrom(l.v4(last), 24), netip.PrefixFrom(l.v6(last), 64), netip.PrefixFrom(l.linkLocal(last), 64),
	} {
		a, err := netlink.ParseAddr(p.String())
		if err != nil {
			return err
		}
		a.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(i, a); err != nil {
			return err
		}
	}
	return nil
}

// cut has the router's end go up or down.
func (l *link) cut(apart bool) {
	l.t.Helper()
	if err := l.router.do(func() error {
		i, err := netlink.LinkByName("e0")
		if err != nil {
			return err
		}
		if apart {
			return netlink.LinkSetDown(i)
		}
		return netlink.LinkSetUp(i)
	}); err != nil {
		l.t.Fatal(err)
	}
}

// setUp sets an interface up.
func setUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}
