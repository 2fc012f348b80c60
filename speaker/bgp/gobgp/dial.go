package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bgp"
)

// trafficClass is CS6, for routing protocols (RFC 4594 section 3.2).
const trafficClass = 0xc0

// dial connects to a router.
func dial(ctx context.Context, n bgp.Neighbor, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{
		Timeout:   timeout,
		KeepAlive: -1, // BGP has its own
		Control: func(network, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = routerOptions(int(fd), network == "tcp6", n) }), err)
		},
	}
	d.SetMultipathTCP(false) // does not go with TCP MD5
	if n.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.Source, 0))
	}
	to, err := numbered(n.Address)
	if err != nil {
		return nil, err
	}
	return d.DialContext(ctx, "tcp", netip.AddrPortFrom(to, n.Port).String())
}

// numbered has the zone of an address be the index of the interface. Package net
// finds the index of a name in a list that may be a minute old, and the interface
// may have been replaced by another one of that name.
func numbered(a netip.Addr) (netip.Addr, error) {
	if a.Zone() == "" {
		return a, nil
	}
	ifi, err := net.InterfaceByName(a.Zone())
	if err != nil {
		return a, fmt.Errorf("interface %s: %w", a.Zone(), err)
	}
	return a.WithZone(strconv.Itoa(ifi.Index)), nil
}

// routerOptions sets the options of a socket to a router.
func routerOptions(fd int, v6 bool, n bgp.Neighbor) error {
	var errs []error
	set := func(level, name, value int) { errs = append(errs, unix.SetsockoptInt(fd, level, name, value)) }
	ttl := hops(n)
	if v6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, trafficClass)
		if ttl != 0 {
			set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
		}
		if n.TTLSecurity {
			set(unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, maxTTL)
		}
	} else {
		set(unix.IPPROTO_IP, unix.IP_TOS, trafficClass)
		if ttl != 0 {
			set(unix.IPPROTO_IP, unix.IP_TTL, ttl)
		}
		if n.TTLSecurity {
			set(unix.IPPROTO_IP, unix.IP_MINTTL, maxTTL)
		}
	}
	if n.VRF != "" {
		errs = append(errs, unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, n.VRF))
	}
	if n.Password != "" {
		errs = append(errs, sign(fd, n.Address, n.Password))
	}
	return errors.Join(errs...)
}

const maxTTL = 255

// hops returns the TTL of what is sent, or zero for the kernel's default.
func hops(n bgp.Neighbor) int {
	switch {
	case n.TTLSecurity, n.MultiHop: // RFC 5082
		return maxTTL
	case internal(n):
		return 0
	default:
		return 1 // a router one hop away
	}
}

// internal reports whether a neighbor has the own ASN.
func internal(n bgp.Neighbor) bool {
	return n.Dynamic == config.DynamicInternal || n.Dynamic == config.DynamicNone && n.PeerASN == n.MyASN
}

// sign has the kernel sign segments to a peer, and take signed ones from it alone
// (RFC 2385).
func sign(fd int, peer netip.Addr, password string) error {
	var sig unix.TCPMD5Sig
	if len(password) > len(sig.Key) {
		return fmt.Errorf("the password is longer than %d octets", len(sig.Key))
	}
	// A sockaddr_in or sockaddr_in6, without its port.
	if peer.Is4() {
		sig.Addr.Family = unix.AF_INET
		copy(sig.Addr.Data[2:], peer.AsSlice())
	} else {
		sig.Addr.Family = unix.AF_INET6
		copy(sig.Addr.Data[6:], peer.AsSlice())
	}
	sig.Keylen = uint16(copy(sig.Key[:], password))
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig); err != nil {
		return fmt.Errorf("TCP MD5: %w", err)
	}
	return nil
}

// connect connects to the embedded server as its neighbor, and returns what it
// says and the body of its OPEN, which it sends first.
func (l *library) connect(ctx context.Context) (net.Conn, *reader, []byte, error) {
	if err := l.arm(); err != nil { // unless that was done, as it should have been
		return nil, nil, nil, err
	}
	for deadline := time.Now().Add(libraryWithin); ; {
		c, err := l.dial(ctx)
		if err == nil {
			var open []byte
			r := newReader(c)
			_ = c.SetReadDeadline(deadline)
			if open, err = firstOpen(r); err == nil {
				return c, r, open, c.SetReadDeadline(time.Time{})
			}
			_ = c.Close()
		}
		// It closes a connection that comes before it is ready for one.
		if time.Now().After(deadline) || !pause.For(ctx, 2*time.Millisecond) {
			return nil, nil, nil, fmt.Errorf("GoBGP: %w", err)
		}
	}
}

// libraryWithin is how long the embedded server may take for an OPEN.
const libraryWithin = 2 * time.Second

func (l *library) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{
		Timeout:   libraryWithin,
		KeepAlive: -1,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.gate, 0)),
		Control: func(_, _ string, c syscall.RawConn) error {
			// A kernel without TCP MD5 has not let the library set it either.
			return c.Control(func(fd uintptr) { _ = sign(int(fd), l.at.Addr(), l.password) })
		},
	}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", l.at.String())
}

// firstOpen reads the body of an OPEN.
func firstOpen(r *reader) ([]byte, error) {
	kind, length, err := r.next()
	if err != nil {
		return nil, err
	}
	if kind != typeOpen {
		return nil, fmt.Errorf("a message of type %d comes first", kind)
	}
	return r.body(length)
}
