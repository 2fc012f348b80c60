package sentry

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
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

// Law: that a host is unreachable is no answer, however soon the own kernel says
// so and however often it is looked at.
func TestUnreachable(t *testing.T) {
	here, there := netnstest.New(t), netnstest.New(t)
	here.Veth(t, "eth0", there, "eth0")
	here.Address(t, "eth0", netip.MustParsePrefix("192.0.2.1/24"))
	there.Address(t, "eth0", netip.MustParsePrefix("192.0.2.2/24"))
	here.Change(t, "lo", netlink.LinkSetUp)
	here.Must(t, func() error {
		_, refused, _ := net.ParseCIDR("198.51.100.0/24")
		if err := netlink.RouteAdd(&netlink.Route{Dst: refused, Type: unix.RTN_UNREACHABLE}); err != nil {
			return err
		}
		for name, value := range map[string]string{"mcast_solicit": "1", "retrans_time_ms": "4"} { // ARP gives up soon
			if err := os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	tests := []struct {
		name, remote string
		want         outcome
	}{
		{"answers", "192.0.2.2", outcomeAnswered},
		{"does not answer ARP", "192.0.2.9", outcomeUnanswered},
		{"behind an unreachable route", "198.51.100.9", outcomeUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			here.Must(t, func() error {
				remote := netip.AddrPortFrom(netip.MustParseAddr(tt.remote), 7946)
				if got := kernelAnswers(netip.MustParseAddr("192.0.2.1"), remote); got != tt.want {
					t.Errorf("%v, want %v", got, tt.want)
				}
				return nil
			})
		})
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
