package layer2

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel of another host finds our addresses, in both families, and follows
// them when they move from one host to another.
func TestKernelFindsUs(t *testing.T) {
	t.Parallel()
	lan := newVethLAN(t, "h0", "h1")
	client := newNetns(t)
	addrs := []netip.Addr{ip(t, "192.0.2.1"), ip(t, "2001:db8::1:2")}
	// The stations of h0 and h1 and the client are on one bridge.
	lan.must(func() error { return bridge("br0", "ph0", "ph1") })
	lan.must(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "pc"}, PeerName: "c0",
			PeerNamespace: netlink.NsFd(client.f.Fd())})
	})
	lan.must(func() error { return bridge("br0", "pc") })
	if err := client.do(func() error { return address("c0", "192.0.2.99/24", "2001:db8::99/64") }); err != nil {
		t.Fatal(err)
	}

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

// bridge makes interfaces ports of a bridge, which it makes if need be.
func bridge(name string, ports ...string) error {
	br, err := netlink.LinkByName(name)
	if err != nil {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
			return err
		}
		if br, err = netlink.LinkByName(name); err != nil {
			return err
		}
	}
	for _, port := range ports {
		l, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(l, br); err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(br)
}

// address sets an interface up with addresses, IPv6 without duplicate address
// detection.
func address(name string, prefixes ...string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	for _, p := range prefixes {
		a, err := netlink.ParseAddr(p)
		if err != nil {
			return err
		}
		a.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, a); err != nil {
			return err
		}
	}
	return nil
}

// knows waits until the kernel of a namespace has addr at a station.
func knows(t *testing.T, ns *netns, addr netip.Addr, at mac) {
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
		err := ns.do(func() (err error) { ok, err = found(); return err })
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
