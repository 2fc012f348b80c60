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

	"github.com/heraldlb/herald/internal/netnstest"
)

// newWire returns a namespace with a pair of interfaces e0 and e1 that are wired to
// each other. Duplicate address detection would take a second.
func newWire(t *testing.T) *netnstest.Namespace {
	t.Helper()
	n := netnstest.New(t)
	n.Must(t, func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)
	})
	n.Veth(t, "e0", n, "e1")
	return n
}

func TestHostLocal(t *testing.T) {
	n := newWire(t)
	n.Address(t, "e0", netip.MustParsePrefix("192.0.2.1/24"))
	err := n.DoWithNetRaw(func() error {
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
	n := newWire(t)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	heard := map[string]chan advert{"e0": make(chan advert, 64), "e1": make(chan advert, 64)}
	wake := map[string]chan struct{}{"e0": make(chan struct{}, 1), "e1": make(chan struct{}, 1)}
	for name, c := range heard {
		go func() {
			ended <- n.DoWithNetRaw(func() error {
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
	n.Change(t, "e1", func(l netlink.Link) error { return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l)) })
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

// A socket is opened at once on an interface that was replaced by another one of
// that name.
func TestListenReplaced(t *testing.T) {
	n := newWire(t)
	opened := func(when string) {
		t.Helper()
		err := errors.New("not tried")
		for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); {
			err = n.DoWithNetRaw(func() error { // its address is usable soon
				c, _, err := listen("e0")
				if err != nil {
					return err
				}
				defer func() { _ = c.Close() }()
				return (&voice{conn: c, self: &net.Interface{}, tick: true}).speak()
			})
		}
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	opened("at first")
	n.Change(t, "e0", netlink.LinkDel)
	n.Veth(t, "e0", n, "e1")
	opened("after the interface was replaced")
}

// What a router has forwarded, or a stranger says from a global address, is not
// the advert of a neighbor; a real one tells whether it is a gateway.
func TestSeekDistrusts(t *testing.T) {
	n := newWire(t)
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan advert, 64), make(chan error, 1)
	go func() {
		ended <- n.DoWithNetRaw(func() error {
			host{}.seek(ctx, "e0", make(chan struct{}), func(a advert) { heard <- a })
			return nil
		})
	}()
	var c *ndp.Conn
	var self netip.Addr
	err := errors.New("not tried")
	for err != nil { // the address is usable soon
		err = n.DoWithNetRaw(func() (err error) {
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
