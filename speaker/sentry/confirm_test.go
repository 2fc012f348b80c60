package sentry

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// listen opens a port on the loopback address whose backlog is as given.
func listen(t *testing.T, at netip.Addr, backlog int) netip.AddrPort {
	t.Helper()
	family := unix.AF_INET
	if at.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(at, 0))); err != nil {
		netnstest.Need(t, fmt.Sprintf("%v: %v", at, err))
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(at, uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(at, uint16(a.Port))
	}
	t.Fatalf("address %T", name)
	return netip.AddrPort{}
}

// fill has the kernel not answer any more at a port whose backlog is zero.
func fill(t *testing.T, at netip.AddrPort) {
	t.Helper()
	for range 4 {
		c, err := net.DialTimeout("tcp", at.String(), 20*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the kernel goes on answering")
}

func TestKernelAnswers(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		at := netip.MustParseAddr(host)
		closed := listen(t, at, 1)
		closed = netip.AddrPortFrom(at, closed.Port()-1) // most likely
		full := listen(t, at, 0)
		fill(t, full)
		abroad := netip.MustParseAddr("192.0.2.1")
		if at.Is6() {
			abroad = netip.MustParseAddr("2001:db8::1")
		}
		tests := []struct {
			name   string
			local  netip.Addr
			remote netip.AddrPort
			want   outcome
		}{
			{"open", at, listen(t, at, 8), outcomeAnswered},
			{"refused", at, closed, outcomeAnswered},
			{"no answer", at, full, outcomeUnanswered},
			{"not our address", abroad, full, outcomeUnknown},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(host, " ", tt.name), func(t *testing.T) {
				begin := time.Now()
				if got := kernelAnswers(tt.local, tt.remote); got != tt.want {
					t.Errorf("%v, want %v", got, tt.want)
				}
				took := time.Since(begin)
				if least := attempts * attemptPause; tt.want == outcomeUnanswered && took < least {
					t.Errorf("gave up after %v, want %v at least", took, least)
				}
			})
		}
	}
}

func BenchmarkKernelAnswers(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_ = c.Close()
		}
	}()
	remote := l.Addr().(*net.TCPAddr).AddrPort()
	for b.Loop() {
		if got := kernelAnswers(remote.Addr(), remote); got != outcomeAnswered {
			b.Fatal(got)
		}
	}
}
