package sentry

import (
	"errors"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A connection is attempted up to attempts times, with a pause after each, so
// that the loss of one packet decides nothing: the kernel itself would repeat
// its SYN after a second only.
const (
	attempts     = 4
	attemptPause = 15 * time.Millisecond
)

// kernelAnswers asks the kernel at remote whether it is there. It takes 60 ms
// if nothing answers, and no longer than a round trip otherwise.
//
// The sockets are polled, not left to the runtime: poll looks at them once more
// after its time is up, so an answer counts that came while this process was
// waiting for a processor.
func kernelAnswers(local netip.Addr, remote netip.AddrPort) outcome {
	var open []unix.PollFd
	defer func() {
		for _, p := range open {
			if p.Fd >= 0 {
				_ = unix.Close(int(p.Fd))
			}
		}
	}()
	for range attempts {
		fd, err := connect(local, remote)
		switch {
		case errors.Is(err, unix.EINPROGRESS):
			open = append(open, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
		case fd >= 0:
			_ = unix.Close(fd) // it is decided, or undecided for good
		}
		if o := judged(err); o != 0 {
			return o
		}
		if o := await(open, time.Now().Add(attemptPause)); o != 0 {
			return o
		}
	}
	if !linked(remote.Addr()) {
		return outcomeUnknown
	}
	return outcomeUnanswered
}

// connect begins a connection. The socket is -1 if there is none.
func connect(local netip.Addr, remote netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	// Closed with a RST, a connection leaves nothing behind on either side.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fd, err
	}
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0))); err != nil {
		return fd, err
	}
	return fd, unix.Connect(fd, sockaddr(remote))
}

// sockaddr converts an address.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// await waits for a connection to be decided, until a time. It returns zero if
// none was. A connection that ended undecided is closed, and its descriptor is
// -1 from then on, which poll passes over.
func await(open []unix.PollFd, until time.Time) outcome {
	for {
		left := max(0, time.Until(until))
		_, err := unix.Poll(open, int((left+time.Millisecond-1)/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return outcomeUnknown
		}
		for i := range open {
			if err != nil || open[i].Revents == 0 {
				continue
			}
			if o := judged(result(int(open[i].Fd))); o != 0 {
				return o
			}
			// It would report POLLHUP for ever, and its error, which has been
			// read, not again: that looks like a success.
			_ = unix.Close(int(open[i].Fd))
			open[i].Fd = -1
		}
		if left == 0 && err == nil {
			return 0
		}
	}
}

// result returns what became of a connection.
func result(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return unix.Errno(code)
	}
	return nil
}

// judged says what follows from how a connection was attempted: zero if
// nothing does yet.
func judged(err error) outcome {
	switch {
	case err == nil, errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
		return outcomeAnswered
	case errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.EAGAIN),
		errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ETIMEDOUT):
		// A host is unreachable when it does not answer ARP or neighbor
		// discovery, which is just another way not to answer. That a route or a
		// router says so looks the same; linked tells of the route.
		return 0
	default: // ENETUNREACH, ENETDOWN, EADDRNOTAVAIL, ENOBUFS, EPERM, ...
		return outcomeUnknown
	}
}

// linked reports whether the interface through which remote is reached is
// there and has a carrier.
func linked(remote netip.Addr) bool {
	routes, err := netlink.RouteGet(remote.AsSlice())
	if err != nil || len(routes) == 0 {
		return false
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	// The carrier is known at once, the operational state up to a second later.
	const works = unix.IFF_LOWER_UP | unix.IFF_RUNNING
	return err == nil && link.Attrs().RawFlags&works == works
}
