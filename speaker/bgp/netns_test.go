package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// A netns is a network namespace of a test, with a pair of interfaces e0 and e1
// that are wired to each other.
type netns struct{ f *os.File }

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
		c <- result{f, errors.Join(err, wire())}
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

// wire makes the interfaces. Duplicate address detection would take a second.
func wire() error {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644); err != nil {
		return err
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "e0"}, PeerName: "e1"}); err != nil {
		return err
	}
	for _, name := range []string{"lo", "e0", "e1"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	return nil
}

// do runs fn in the namespace with no capability but NET_RAW, as the speaker's
// pod has it.
func (n *netns) do(fn func() error) error {
	c := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			c <- err
			return
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		raw := unix.CapUserData{Effective: 1 << unix.CAP_NET_RAW, Permitted: 1 << unix.CAP_NET_RAW}
		if err := unix.Capset(&header, &[]unix.CapUserData{raw, {}}[0]); err != nil {
			c <- err
			return
		}
		c <- fn()
	}()
	return <-c
}

func (n *netns) admin(t *testing.T, fn func() error) {
	t.Helper()
	c := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			c <- err
			return
		}
		c <- fn()
	}()
	if err := <-c; err != nil {
		t.Fatal(err)
	}
}

func setAddress(name, address string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(l, a)
}

func TestHostLocal(t *testing.T) {
	n := newNetns(t)
	n.admin(t, func() error { return setAddress("e0", "192.0.2.1/24") })
	err := n.do(func() error {
		got, err := host{}.local(addr("192.0.2.254"), "")
		if err != nil || got != addr("192.0.2.1") {
			return fmt.Errorf("got %v, error %w", got, err)
		}
		_, err = host{}.local(addr("203.0.113.1"), "")
		if err == nil || err.Error() != "no route to 203.0.113.1: network is unreachable" {
			return fmt.Errorf("got error %w", err)
		}
		if got, err = (host{}).local(addr("192.0.2.254"), "e0"); err != nil || got != addr("192.0.2.1") {
			return fmt.Errorf("bound to a device: %v, error %w", got, err)
		}
		if _, err = (host{}).local(addr("192.0.2.254"), "nowhere"); err == nil || !strings.Contains(err.Error(), "no such device") {
			return fmt.Errorf("no such vrf: error %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Two ends that seek each other find each other, at once and again when the
// interface has been down.
func TestSeek(t *testing.T) {
	n := newNetns(t)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	heard := map[string]chan advert{"e0": make(chan advert, 64), "e1": make(chan advert, 64)}
	wake := map[string]chan struct{}{"e0": make(chan struct{}, 1), "e1": make(chan struct{}, 1)}
	for name, c := range heard {
		go func() {
			ended <- n.do(func() error {
				host{}.seek(ctx, name, wake[name], func(a advert) { c <- a })
				return nil
			})
		}()
	}
	for name, c := range heard {
		a := <-c
		if !a.from.IsLinkLocalUnicast() || a.from.Zone() != name || a.gateway {
			t.Errorf("%s heard %+v", name, a)
		}
	}
	n.admin(t, func() error {
		l, err := netlink.LinkByName("e1")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetDown(l); err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
	for len(heard["e0"]) > 0 {
		<-heard["e0"]
	}
	token(wake["e1"])
	<-heard["e0"]
	cancel()
	for range heard {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, before %d", now, before)
	}
}

// What a router has forwarded, or a stranger says from a global address, is not
// the advert of a neighbor; a real one tells whether it is a gateway.
func TestSeekDistrusts(t *testing.T) {
	n := newNetns(t)
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan advert, 64), make(chan error, 1)
	go func() {
		ended <- n.do(func() error {
			host{}.seek(ctx, "e0", make(chan struct{}), func(a advert) { heard <- a })
			return nil
		})
	}()
	var c *ndp.Conn
	var self netip.Addr
	err := errors.New("not tried")
	for err != nil { // the address is usable soon
		err = n.do(func() (err error) {
			ifi, err := net.InterfaceByName("e1")
			if err != nil {
				return err
			}
			c, self, err = ndp.Listen(ifi, ndp.LinkLocal)
			return err
		})
	}
	defer c.Close()
	if err := c.JoinGroup(allRouters); err != nil {
		t.Fatal(err)
	}
	for { // who solicits listens
		m, _, _, err := c.ReadFrom()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*ndp.RouterSolicitation); ok {
			break
		}
	}
	forwarded := &ndp.RouterAdvertisement{}
	if err := c.WriteTo(forwarded, &ipv6.ControlMessage{HopLimit: 254, Src: self.WithZone("").AsSlice()}, allNodes); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteTo(&ndp.RouterAdvertisement{RouterLifetime: time.Hour}, nil, allNodes); err != nil {
		t.Fatal(err)
	}
	if a := <-heard; a.from != self.WithZone("e0") || !a.gateway {
		t.Errorf("heard %+v, want one of %v", a, self)
	}
	select {
	case a := <-heard:
		t.Errorf("heard %+v as well", a)
	default:
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
