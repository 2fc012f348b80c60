package layer2

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// clientAddrs are the addresses of a host that is a client of ours.
var clientAddrs = []netip.Prefix{netip.MustParsePrefix("192.0.2.99/24"), netip.MustParsePrefix("2001:db8::99/64")}

// The kernel of another host finds our addresses, in both families, and follows
// them when they move from one host to another.
func TestKernelFindsUs(t *testing.T) {
	t.Parallel()
	lan := newVethLAN(t, "h0", "h1")
	client := netnstest.New(t)
	addrs := []netip.Addr{ip(t, "192.0.2.1"), ip(t, "2001:db8::1:2")}
	// The stations of h0 and h1 and the client are on one bridge.
	lan.ns.Veth(t, "pc", client, "c0")
	lan.ns.Bridge(t, "br0", "ph0", "ph1", "pc")
	client.Address(t, "c0", clientAddrs...)

	for _, name := range []string{"h0", "h1"} {
		a, in := lan.announcer(t)
		r := startIn(t, a, lan, in)
		r.set(r.want([]string{name}, addrs[0].String(), addrs[1].String()))
		for _, addr := range addrs {
			knows(t, client, addr, lan.mac(name))
		}
		r.stop()
	}
}

// knows waits until the kernel of a namespace has addr at a station.
func knows(t *testing.T, ns *netnstest.Namespace, addr netip.Addr, at mac) {
	t.Helper()
	found := func() (bool, error) {
		if c, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String()); err == nil {
			_, _ = c.Write([]byte("x"))
			_ = c.Close()
		}
		neighbours, err := netlink.NeighList(0, unix.AF_UNSPEC)
		for _, n := range neighbours {
			if got, _ := netip.AddrFromSlice(n.IP); got.Unmap() == addr {
				m, _ := toMAC(n.HardwareAddr)
				return m == at, nil
			}
		}
		return false, err
	}
	for deadline := time.After(10 * time.Second); ; {
		var ok bool
		err := ns.Do(func() (err error) { ok, err = found(); return err })
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s is not known at %s", addr, at)
		}
	}
}
