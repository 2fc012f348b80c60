package netnstest

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Veth makes a pair of interfaces, one here and its peer in a namespace that may
// be the same one, and sets both up.
func (n *Namespace) Veth(t testing.TB, name string, there *Namespace, peer string) {
	t.Helper()
	n.Must(t, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: name},
			PeerName:  peer, PeerNamespace: netlink.NsFd(int(there.f.Fd())),
		})
	})
	if n.outlives || there.outlives {
		t.Cleanup(func() { _ = n.Do(func() error { return change(name, netlink.LinkDel) }) })
	}
	n.Change(t, name, netlink.LinkSetUp)
	there.Change(t, peer, netlink.LinkSetUp)
}

// Address adds addresses to an interface. They are in use at once: there is no
// duplicate address detection.
func (n *Namespace) Address(t testing.TB, name string, addrs ...netip.Prefix) {
	t.Helper()
	n.Change(t, name, func(l netlink.Link) error {
		var errs []error
		for _, a := range addrs {
			errs = append(errs, netlink.AddrAdd(l, &netlink.Addr{
				IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())},
				Flags: unix.IFA_F_NODAD,
			}))
		}
		return errors.Join(errs...)
	})
}

// Bridge makes interfaces ports of a bridge that is up. It makes the bridge if
// there is none of that name.
func (n *Namespace) Bridge(t testing.TB, name string, ports ...string) {
	t.Helper()
	n.Must(t, func() error {
		err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}})
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		return err
	})
	n.Change(t, name, netlink.LinkSetUp)
	for _, port := range ports {
		n.Change(t, port, func(l netlink.Link) error { return errors.Join(join(l, name), netlink.LinkSetUp(l)) })
	}
}

// Change does something to an interface.
func (n *Namespace) Change(t testing.TB, name string, fn func(netlink.Link) error) {
	t.Helper()
	n.Must(t, func() error { return change(name, fn) })
}

// change is Change in the namespace of the thread.
func change(name string, fn func(netlink.Link) error) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return fn(l)
}

// join makes an interface a port of a bridge.
func join(port netlink.Link, bridge string) error {
	return change(bridge, func(br netlink.Link) error { return netlink.LinkSetMaster(port, br) })
}
