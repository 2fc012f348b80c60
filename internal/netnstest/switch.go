package netnstest

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// A Switch connects namespaces. Its ports are named by who connects them.
type Switch struct {
	t  testing.TB
	ns *Namespace
}

// bridgeName is the name of a switch's bridge, in the namespace of the switch.
const bridgeName = "switch"

// NewSwitch makes a switch without ports.
func NewSwitch(t testing.TB) *Switch {
	t.Helper()
	s := &Switch{t: t, ns: New(t)}
	s.ns.Bridge(t, bridgeName)
	return s
}

// Connect makes an interface in a namespace, with addresses, and the port of the
// switch that it is connected to.
func (s *Switch) Connect(n *Namespace, name, port string, addrs ...netip.Prefix) {
	s.t.Helper()
	s.ns.Veth(s.t, port, n, name)
	n.Address(s.t, name, addrs...)
	s.ns.Bridge(s.t, bridgeName, port)
}

// Cut has all packets from and to ports be lost; the link stays up at both ends.
func (s *Switch) Cut(ports ...string) { s.each(ports, netlink.LinkSetNoMaster) }

// Pull takes the cable out of ports: the link is down at both ends.
func (s *Switch) Pull(ports ...string) { s.each(ports, netlink.LinkSetDown) }

// Mend undoes Cut and Pull.
func (s *Switch) Mend(ports ...string) {
	s.t.Helper()
	s.each(ports, func(l netlink.Link) error { return errors.Join(join(l, bridgeName), netlink.LinkSetUp(l)) })
}

// each does something to ports.
func (s *Switch) each(ports []string, fn func(netlink.Link) error) {
	s.t.Helper()
	for _, port := range ports {
		s.ns.Change(s.t, port, fn)
	}
}
