package layer2

import (
	"fmt"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// A loopback speaks to this host's own kernel, as if from a link, and to nobody
// else on it.
//
// A node forwards. What reaches it for an address that it announces and is part
// of no connection, such as the last packet of one that its predecessor had,
// kube-proxy leaves alone: the kernel takes the address for that of a neighbour,
// sends the packet on, and tells the client by a redirect where the neighbour is
// (RFC 4861 section 8.2), with the link-layer address that it knows. A kernel
// that has forwarded for the address before knows the predecessor's, and so leads
// the client to a node that may be dead. It must know of the takeover, too.
// IPv4 has no such trouble: its redirects name no link-layer address.
type loopback interface {
	// advertise has the kernel take an address that it knows as a neighbour's for
	// that of self.
	advertise(addr netip.Addr, self mac) error
	close()
}

// interfaceLocal is the group of all nodes of interface-local scope: what goes
// there comes back, and never leaves (RFC 4291 section 2.7). The kernel is always
// in it.
var interfaceLocal = netip.MustParseAddr("ff01::1")

// loopback implements network.
func (host) loopback(l link) loopback { return &hostLoopback{index: l.index, fd: -1} }

// hostLoopback is a socket that is opened when it is used first. It is used by
// one goroutine.
type hostLoopback struct{ index, fd int }

func (l *hostLoopback) advertise(addr netip.Addr, self mac) error {
	body, err := ndp.MarshalMessage(&ndp.NeighborAdvertisement{
		Override:      true,
		TargetAddress: addr,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: self.hw()}},
	})
	if err == nil {
		err = l.open()
	}
	if err == nil {
		from := unix.PktInfo6(&unix.Inet6Pktinfo{Addr: addr.As16(), Ifindex: uint32(l.index)})
		to := &unix.SockaddrInet6{Addr: interfaceLocal.As16(), ZoneId: uint32(l.index)}
		err = unix.Sendmsg(l.fd, body, from, to, 0) // the kernel fills the checksum in
	}
	if err != nil {
		return fmt.Errorf("advertise %s to the own kernel: %w", addr, err)
	}
	return nil
}

// open opens the socket, which receives nothing.
func (l *hostLoopback) open() error {
	if l.fd >= 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return err
	}
	nothing := &unix.ICMPv6Filter{}
	for i := range nothing.Data {
		nothing.Data[i] = ^uint32(0)
	}
	err = unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, nothing)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, maxHopLimit)
	}
	if err == nil { // it speaks from addresses that no interface has
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
	}
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	l.fd = fd
	return nil
}

func (l *hostLoopback) close() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
		l.fd = -1
	}
}
