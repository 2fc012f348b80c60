package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// A network is what an Announcer needs of its host.
type network interface {
	// local returns the address from which the host would send to another one,
	// out of a VRF if one is named. It sends nothing.
	local(remote netip.Addr, vrf string) (netip.Addr, error)
	// seek asks for routers on an interface and tells that we are one, until ctx
	// ends, and calls heard for every router that says so. A token in wake means
	// that the interface has changed.
	seek(ctx context.Context, name string, wake <-chan struct{}, heard func(advert))
}

// An advert is that of a router on a link.
type advert struct {
	// from is its link-local address, with the interface as its zone.
	from netip.Addr
	// gateway is true if it wants to be a default router.
	gateway bool
}

// host is the network of the namespace that the calling thread is in.
type host struct{}

var _ network = host{}

// discard is a port that nothing is sent to: a connected UDP socket is asked for
// its own address alone.
const discard = 9

func (host) local(remote netip.Addr, vrf string) (netip.Addr, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		if vrf == "" {
			return nil
		}
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), vrf) }), err)
	}}
	c, err := d.Dial("udp", netip.AddrPortFrom(remote, discard).String())
	if err != nil {
		return netip.Addr{}, noRoute(remote, err)
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// noRoute says why there is no way to a router, without what the library says
// about its own calls.
func noRoute(remote netip.Addr, err error) error {
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return fmt.Errorf("no route to %s: %w", remote, err)
}
