package bfd

import (
	"errors"
	"fmt"
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
func newNetns(t testing.TB) *netns {
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

// doWithNetRaw is do with no capability but NET_RAW, as in the speaker's pod.
func (n *netns) doWithNetRaw(fn func() error) error {
	return n.do(func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		raw := unix.CapUserData{Effective: 1 << unix.CAP_NET_RAW, Permitted: 1 << unix.CAP_NET_RAW}
		if err := unix.Capset(&header, &[]unix.CapUserData{raw, {}}[0]); err != nil {
			return err
		}
		return fn()
	})
}

// A vethWire is two namespaces, both with an interface e0, and a bridge in
// between that can part them without their interfaces knowing.
type vethWire struct {
	t     testing.TB
	sides [2]*netns
	mid   *netns
}

func newVethWire(t testing.TB) *vethWire {
	t.Helper()
	w := &vethWire{t: t, mid: newNetns(t)}
	w.must(w.mid, func() error {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}); err != nil {
			return err
		}
		return up("br0")
	})
	for side := range w.sides {
		w.sides[side] = newNetns(t)
		port := fmt.Sprintf("p%d", side)
		w.must(w.mid, func() error {
			return netlink.LinkAdd(&netlink.Veth{
				LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: "e0", PeerNamespace: netlink.NsFd(w.sides[side].f.Fd()),
			})
		})
		w.must(w.mid, func() error { return up(port) })
		w.must(w.sides[side], func() error { return address("e0", sideAddrs[side][:]...) })
	}
	w.cut(false)
	return w
}

func (w *vethWire) must(ns *netns, fn func() error) {
	w.t.Helper()
	if err := ns.do(fn); err != nil {
		w.t.Fatal(err)
	}
}

// up sets an interface up.
func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// address sets an interface and the loopback up, with addresses that are in use
// at once.
func address(name string, addrs ...netip.Addr) error {
	if err := errors.Join(up("lo"), up(name)); err != nil {
		return err
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		n, err := netlink.ParseAddr(fmt.Sprintf("%s/%d", a.WithZone(""), bits))
		if err != nil {
			return err
		}
		n.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, n); err != nil {
			return err
		}
	}
	return nil
}

func (w *vethWire) manager(_ *testing.T, side int, c Config) (*Manager, func(func() error) error) {
	return New(c), w.sides[side].doWithNetRaw
}

func (w *vethWire) cut(apart bool) {
	w.t.Helper()
	w.must(w.mid, func() error {
		br, err := netlink.LinkByName("br0")
		if err != nil {
			return err
		}
		for _, name := range []string{"p0", "p1"} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if apart {
				err = netlink.LinkSetNoMaster(l)
			} else {
				err = netlink.LinkSetMaster(l, br)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *vethWire) take(at door) (giveBack func()) {
	w.t.Helper()
	name := "udp4"
	if at.v6 {
		name = "udp6"
	}
	var c net.PacketConn
	w.must(w.sides[0], func() (err error) {
		c, err = net.ListenPacket(name, fmt.Sprintf(":%d", at.port))
		return err
	})
	return func() { _ = c.Close() }
}

func (w *vethWire) inject(at door, ttl int, from, to netip.Addr, b []byte) {
	w.t.Helper()
	w.must(w.sides[1], func() error {
		c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, at.port)))
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		if failed := raw.Control(func(fd uintptr) {
			if at.v6 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, ttl)
			}
		}); failed != nil || err != nil {
			return errors.Join(failed, err)
		}
		_, err = c.Write(b)
		return err
	})
}
