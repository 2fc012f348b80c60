package bfd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// host is the network of the namespace that the calling thread is in.
type host struct{}

var _ network = host{}

// What is set on sockets.
const (
	maxTTL = 255 // RFC 5881 section 5
	// class is CS6, network control.
	class = 0xc0
	// priority is the highest that needs no privilege.
	priority = 6
	// receiveBuffer is for the packets of hundreds of peers while we stand still.
	receiveBuffer = 1 << 20
)

// An option is a socket option.
type option struct{ level, name, value int }

// receiving returns the options of a receiving socket.
func receiving(v6 bool) []option {
	o := []option{{unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer}}
	if v6 {
		return append(o, option{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}, option{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1})
	}
	return append(o, option{unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, option{unix.IPPROTO_IP, unix.IP_PKTINFO, 1})
}

// sending returns the options of a sending socket.
func sending(v6 bool) []option {
	o := []option{{unix.SOL_SOCKET, unix.SO_PRIORITY, priority}}
	if v6 {
		return append(o, option{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxTTL}, option{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, class})
	}
	// The type of service also sets the priority, so it comes first.
	return append([]option{{unix.IPPROTO_IP, unix.IP_TOS, class}, {unix.IPPROTO_IP, unix.IP_TTL, maxTTL}}, o...)
}

// apply sets options.
func apply(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

func (host) listen(at door) (inbox, error) {
	name := "udp4"
	if at.v6 {
		name = "udp6"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = apply(int(fd), receiving(at.v6)) }), err)
	}}
	c, err := lc.ListenPacket(context.Background(), name, fmt.Sprintf(":%d", at.port))
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen on port %d of %s: another program on this host uses it, perhaps another bfd daemon: %w", at.port, name, unix.EADDRINUSE)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d of %s: %w", at.port, name, err)
	}
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("listen on port %d of %s: %w", at.port, name, err)
	}
	return &hostInbox{UDPConn: c.(*net.UDPConn), raw: raw}, nil
}

// A hostInbox is a socket of the kernel's. Its watcher waits for the socket, its
// owner reads from it; each packet that comes wakes the watcher (the runtime
// polls edges), so the owner must read until nothing is left.
type hostInbox struct {
	*net.UDPConn
	raw     syscall.RawConn
	control [128]byte
}

func (i *hostInbox) watch(ready func()) {
	_ = i.raw.Read(func(uintptr) bool {
		ready()
		return false // wait on; ends with an error when closed
	})
}

func (i *hostInbox) receive(b []byte) (arrival, error) {
	var (
		a       arrival
		n, used int
		from    unix.Sockaddr
		err     error
	)
	if failed := i.raw.Control(func(fd uintptr) {
		n, used, _, from, err = unix.Recvmsg(int(fd), b, i.control[:], unix.MSG_DONTWAIT)
	}); failed != nil {
		return a, failed
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return a, errNothing
	}
	if err != nil {
		return a, os.NewSyscallError("recvmsg", err)
	}
	a.length = n
	switch s := from.(type) {
	case *unix.SockaddrInet4:
		a.from = netip.AddrFrom4(s.Addr)
	case *unix.SockaddrInet6:
		a.from = netip.AddrFrom16(s.Addr)
	}
	a.ancillary(i.control[:used])
	return a, nil
}

// ancillary reads what the kernel tells about a packet.
func (a *arrival) ancillary(b []byte) {
	for len(b) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return
		}
		b = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL && len(data) >= 4,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			a.ttl = int(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			a.index = int(binary.NativeEndian.Uint32(data))
			a.to = netip.AddrFrom4([4]byte(data[8:12]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			a.to = netip.AddrFrom16([16]byte(data[:16]))
			a.index = int(binary.NativeEndian.Uint32(data[16:]))
		}
	}
}

// A hostOutbox is a connected socket.
type hostOutbox struct{ fd, ifindex int }

func (host) dial(to path) (outbox, error) {
	o := &hostOutbox{fd: -1}
	if err := o.open(to); err != nil {
		_ = o.Close()
		return nil, fmt.Errorf("send to %s: %w", to.key.remote, err)
	}
	return o, nil
}

// open makes the socket of o.
func (o *hostOutbox) open(to path) error {
	v6 := to.key.remote.Is6()
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	var err error
	if o.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := apply(o.fd, sending(v6)); err != nil {
		return err
	}
	if to.key.iface != "" {
		if o.ifindex, err = o.device(to.key.iface); err != nil {
			return fmt.Errorf("interface %s: %w", to.key.iface, err)
		}
	}
	if err := o.bind(to.key); err != nil {
		return err
	}
	return os.NewSyscallError("connect", unix.Connect(o.fd, o.sockaddr(to.key.remote, to.port)))
}

// device binds o to an interface and returns its index.
func (o *hostOutbox) device(name string) (int, error) {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err // no name of an interface
	}
	if err := unix.IoctlIfreq(o.fd, unix.SIOCGIFINDEX, r); err != nil {
		return 0, os.NewSyscallError("find", err)
	}
	return int(r.Uint32()), os.NewSyscallError("bind to device", unix.BindToDevice(o.fd, name))
}

// bind takes a source port that is free.
func (o *hostOutbox) bind(k key) error {
	local := k.local
	switch {
	case local.IsValid():
	case k.remote.Is6():
		local = netip.IPv6Unspecified()
	default:
		local = netip.IPv4Unspecified()
	}
	const tries = 64
	for range tries {
		port := uint16(firstSource + rand.IntN(sources))
		err := unix.Bind(o.fd, o.sockaddr(local, port))
		if err == nil || !errors.Is(err, unix.EADDRINUSE) {
			return os.NewSyscallError("bind", err)
		}
	}
	return errNoPort
}

// sockaddr returns an address for the kernel.
func (o *hostOutbox) sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: a.As4()}
	}
	s := &unix.SockaddrInet6{Port: int(port), Addr: a.As16()}
	if a.IsLinkLocalUnicast() {
		s.ZoneId = uint32(o.ifindex)
	}
	return s
}

func (o *hostOutbox) send(b []byte) error {
	_, err := unix.Write(o.fd, b)
	if errors.Is(err, unix.ECONNREFUSED) {
		// That is about an earlier packet, and this one was not sent.
		_, err = unix.Write(o.fd, b)
		if err == nil || errors.Is(err, unix.ECONNREFUSED) {
			return errRefused
		}
	}
	return os.NewSyscallError("send", err)
}

func (o *hostOutbox) index() int { return o.ifindex }

func (o *hostOutbox) Close() error {
	if o.fd < 0 {
		return nil
	}
	return unix.Close(o.fd)
}
