package layer2

import (
	"errors"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/mdlayher/packet"
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

// A vethLAN is a wireLAN of veth pairs: each interface of the host, h0, has a
// peer, ph0, on which the test plays the other stations.
type vethLAN struct {
	t     testing.TB
	ns    *netns
	peers map[string]*packet.Conn
	sent  map[string]chan []byte
}

func newVethLAN(t testing.TB, names ...string) *vethLAN {
	t.Helper()
	l := &vethLAN{t: t, ns: newNetns(t), peers: map[string]*packet.Conn{}, sent: map[string]chan []byte{}}
	for _, name := range names {
		l.create(name)
	}
	return l
}

func (l *vethLAN) must(fn func() error) {
	l.t.Helper()
	if err := l.ns.do(fn); err != nil {
		l.t.Fatal(err)
	}
}

// create adds an interface and starts to read what the host sends on it.
func (l *vethLAN) create(name string) {
	l.t.Helper()
	if l.sent[name] == nil {
		l.sent[name] = make(chan []byte, 1<<12)
	}
	sent := l.sent[name]
	l.must(func() error {
		pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "p" + name}
		if err := netlink.LinkAdd(pair); err != nil {
			return err
		}
		for _, n := range []string{name, "p" + name} {
			link, err := netlink.LinkByName(n)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return err
			}
		}
		ifi, err := net.InterfaceByName("p" + name)
		if err != nil {
			return err
		}
		c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		if err != nil {
			return err
		}
		l.t.Cleanup(func() { _ = c.Close() })
		l.peers[name] = c
		go func() {
			for {
				buf := make([]byte, 2048)
				n, _, err := c.ReadFrom(buf)
				if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADF) {
					return
				}
				if err == nil && len(sent) < cap(sent) {
					sent <- buf[:n]
				}
			}
		}()
		return nil
	})
}

func (l *vethLAN) send(name string, frame []byte) {
	l.t.Helper()
	if _, err := l.peers[name].WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *vethLAN) frames(name string) <-chan []byte { return l.sent[name] }

func (l *vethLAN) mac(name string) mac {
	l.t.Helper()
	var m mac
	l.must(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			m, _ = toMAC(link.Attrs().HardwareAddr)
		}
		return err
	})
	return m
}

// change applies fn to an interface of the host.
func (l *vethLAN) change(name string, fn func(netlink.Link) error) {
	l.t.Helper()
	l.must(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return fn(link)
	})
}

func (l *vethLAN) setMAC(name string, m mac) {
	l.change(name, func(k netlink.Link) error { return netlink.LinkSetHardwareAddr(k, m.hw()) })
}

// setCarrier sets the peer up or down, as a cable that is plugged or pulled.
func (l *vethLAN) setCarrier(name string, up bool) {
	l.change("p"+name, func(k netlink.Link) error {
		if up {
			return netlink.LinkSetUp(k)
		}
		return netlink.LinkSetDown(k)
	})
}

func (l *vethLAN) remove(name string) {
	l.change(name, netlink.LinkDel)
	_ = l.peers[name].Close()
}

func (l *vethLAN) announcer(t *testing.T) (*Announcer, func(run func() error) error) {
	t.Helper()
	return New(Config{Probe: true}), l.ns.doWithNetRaw
}
