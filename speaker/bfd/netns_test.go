package bfd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// A vethWire is two namespaces, both with an interface e0, at a switch that can
// part them without their interfaces knowing.
type vethWire struct {
	t     testing.TB
	sides [2]*netnstest.Namespace
	mid   *netnstest.Switch
}

// ports are the names of the switch's ports, by side.
var ports = [2]string{"p0", "p1"}

func newVethWire(t testing.TB) *vethWire {
	t.Helper()
	w := &vethWire{t: t, mid: netnstest.NewSwitch(t)}
	for side := range w.sides {
		w.sides[side] = netnstest.New(t)
		var addrs []netip.Prefix
		for _, a := range sideAddrs[side] {
			bits := 24
			if a.Is6() {
				bits = 64
			}
			addrs = append(addrs, netip.PrefixFrom(a.WithZone(""), bits))
		}
		w.mid.Connect(w.sides[side], "e0", ports[side], addrs...)
	}
	return w
}

func (w *vethWire) manager(_ *testing.T, side int, c Config) (*Manager, func(func() error) error) {
	return New(c), w.sides[side].DoWithNetRaw
}

func (w *vethWire) cut(apart bool) {
	w.t.Helper()
	if apart {
		w.mid.Cut(ports[:]...)
	} else {
		w.mid.Mend(ports[:]...)
	}
}

func (w *vethWire) take(at door) (giveBack func()) {
	w.t.Helper()
	name := "udp4"
	if at.v6 {
		name = "udp6"
	}
	var c net.PacketConn
	w.sides[0].Must(w.t, func() (err error) {
		c, err = net.ListenPacket(name, fmt.Sprintf(":%d", at.port))
		return err
	})
	return func() { _ = c.Close() }
}

func (w *vethWire) inject(at door, ttl int, from, to netip.Addr, b []byte) {
	w.t.Helper()
	w.sides[1].Must(w.t, func() error {
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
