package sentry

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A netns is a network namespace of a test.
type netns struct{ f *os.File }

// newNetns makes a namespace, or skips the test without the privilege.
func newNetns(t *testing.T) *netns {
	t.Helper()
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
	if errors.Is(r.err, unix.EPERM) {
		t.Skip("needs the privilege to make network namespaces")
	}
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

// A lan is a switch with nodes, each in a namespace of its own.
type lan struct {
	t       *testing.T
	ns      *netns // that of the switch
	nodes   map[string]*netns
	members map[string]netip.Addr
}

// newLAN connects nodes with consecutive addresses.
func newLAN(t *testing.T, first netip.Prefix, names ...string) *lan {
	t.Helper()
	l := &lan{t: t, ns: newNetns(t), nodes: map[string]*netns{}, members: map[string]netip.Addr{}}
	l.must(l.ns, func() error {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "switch"}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		return netlink.LinkSetUp(bridge)
	})
	addr := first.Addr()
	for _, name := range names {
		l.nodes[name], l.members[name] = newNetns(t), addr
		l.connect(name, netip.PrefixFrom(addr, first.Bits()))
		addr = addr.Next()
	}
	return l
}

func (l *lan) must(ns *netns, fn func() error) {
	l.t.Helper()
	if err := ns.do(fn); err != nil {
		l.t.Fatal(err)
	}
}

// connect makes eth0 of a node, and a port of its name at the switch.
func (l *lan) connect(name string, at netip.Prefix) {
	l.t.Helper()
	node := l.nodes[name]
	l.must(l.ns, func() error {
		pair := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "eth0",
			PeerNamespace: netlink.NsFd(int(node.f.Fd())),
		}
		if err := netlink.LinkAdd(pair); err != nil {
			return err
		}
		return netlink.LinkSetUp(pair)
	})
	l.must(node, func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addr := &netlink.Addr{
			IPNet: &net.IPNet{IP: at.Addr().AsSlice(), Mask: net.CIDRMask(at.Bits(), at.Addr().BitLen())},
			Flags: unix.IFA_F_NODAD,
		}
		return errors.Join(netlink.AddrAdd(eth, addr), netlink.LinkSetUp(eth))
	})
	l.mend(name)
}

// port does something with the port of a node and the switch.
func (l *lan) port(name string, fn func(port, bridge netlink.Link) error) {
	l.t.Helper()
	l.must(l.ns, func() error {
		port, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		bridge, err := netlink.LinkByName("switch")
		if err != nil {
			return err
		}
		return fn(port, bridge)
	})
}

// cut has packets from and to a node be lost; its link stays up.
func (l *lan) cut(name string) {
	l.t.Helper()
	l.port(name, func(port, _ netlink.Link) error { return netlink.LinkSetNoMaster(port) })
}

// pull takes the cable out: the node's link is down.
func (l *lan) pull(name string) {
	l.t.Helper()
	l.port(name, func(port, _ netlink.Link) error { return netlink.LinkSetDown(port) })
}

// mend undoes cut and pull.
func (l *lan) mend(name string) {
	l.t.Helper()
	l.port(name, func(port, bridge netlink.Link) error {
		return errors.Join(netlink.LinkSetMaster(port, bridge), netlink.LinkSetUp(port))
	})
}
