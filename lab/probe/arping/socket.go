package arping

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a packet socket on one interface that sees every claim of one
// address, whomever it is addressed to. It is closed once; a blocked receive
// then ends with net.ErrClosed.
type socket struct {
	f   *os.File
	raw syscall.RawConn
}

// listen opens a socket for claims of target on link.
func listen(link *net.Interface, target netip.Addr) (*socket, error) {
	kind := uint16(etherARP)
	if target.Is6() {
		kind = etherIPv6
	}
	// Protocol 0: nothing is received before the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := setUp(fd, link.Index, kind); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	s := &socket{f: os.NewFile(uintptr(fd), "packet")}
	if s.raw, err = s.f.SyscallConn(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// setUp makes the socket fd hear frames of a kind on an interface.
func setUp(fd, index int, kind uint16) error {
	if kind == etherIPv6 {
		filter := advertisements()
		prog := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog); err != nil {
			return os.NewSyscallError("attach filter", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return os.NewSyscallError("enable timestamps", err)
	}
	mreq := &unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, mreq); err != nil {
		return os.NewSyscallError("enable promiscuous mode", err)
	}
	addr := &unix.SockaddrLinklayer{Protocol: kind<<8 | kind>>8, Ifindex: index} // network byte order
	return os.NewSyscallError("bind", unix.Bind(fd, addr))
}

// advertisements returns a filter that lets neighbor advertisements through
// and nothing else, so that the traffic of the host costs the run nothing.
func advertisements() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: load, K: etherHeader + 6}, // next header
		{Code: equal, K: protoICMPv6, Jf: 3},
		{Code: load, K: etherHeader + ipv6Header}, // ICMPv6 type
		{Code: equal, K: neighborNA, Jf: 1},
		{Code: ret, K: 2048},
		{Code: ret, K: 0},
	}
}

// close closes the socket; a second call does nothing.
func (s *socket) close() { _ = s.f.Close() }

// send sends one frame. A link that is down swallows it, as a cable would.
func (s *socket) send(frame []byte) error {
	_, err := s.f.Write(frame)
	if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

// receive reads one frame and says when the kernel received it.
func (s *socket) receive(buf []byte) (int, time.Time, error) {
	var (
		n, oobn int
		rerr    error
		oob     [128]byte
	)
	err := s.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, rerr = unix.Recvmsg(int(fd), buf, oob[:], 0)
			// ENETDOWN is told once when the link goes down; it may come back.
			if rerr != unix.EINTR && rerr != unix.ENETDOWN {
				return rerr != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return 0, time.Time{}, net.ErrClosed // the only error of a RawConn
	}
	if rerr != nil {
		return 0, time.Time{}, os.NewSyscallError("recvmsg", rerr)
	}
	return n, stamp(oob[:oobn]), nil
}

// stamp returns the kernel's time of a frame, or now when there is none.
func stamp(oob []byte) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SO_TIMESTAMPNS || len(m.Data) < 16 {
			continue
		}
		return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
	}
	return time.Now()
}
