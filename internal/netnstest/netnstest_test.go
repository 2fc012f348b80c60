package netnstest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { Main(m) }

// What any goroutine opens is in the namespace that Own returns, and in no other
// one; a link that is made there goes with its test.
func TestOwn(t *testing.T) {
	Own(t) // or there is no privilege
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
	for range 20 { // whichever threads New takes
		if err := New(t).Do(dial); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("elsewhere: %v, want ECONNREFUSED", err)
		}
		if err := Own(t).Do(dial); err != nil {
			t.Errorf("here: %v", err)
		}
	}
	for range 2 {
		t.Run("", func(t *testing.T) {
			Own(t).Veth(t, "e0", New(t), "r0")
			New(t).Veth(t, "r1", Own(t), "e1")
		})
	}
	if links, err := net.Interfaces(); err != nil || len(links) != 1 {
		t.Errorf("links are left: %v, error %v", links, err)
	}
}

// A site is two namespaces at a switch: ports a and b.
type site struct {
	*Switch
	a, b *Namespace
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{NewSwitch(t), New(t), New(t)}
	s.Connect(s.a, "eth0", "a", netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"))
	s.Connect(s.b, "eth0", "b", netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64"))
	return s
}

// dial connects from a to b.
func (s *site) dial(t *testing.T, addr string) error {
	t.Helper()
	var l net.Listener
	s.b.Must(t, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(addr, "0"))
		return err
	})
	defer l.Close()
	return s.a.Do(func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func TestSwitch(t *testing.T) {
	s := newSite(t)
	steps := []struct {
		name   string
		change func(ports ...string)
		want   bool // connected
	}{
		{"connected", nil, true},
		{"cut", s.Cut, false},
		{"cut and mended", s.Mend, true},
		{"pulled", s.Pull, false},
		{"pulled and mended", s.Mend, true},
	}
	for _, step := range steps {
		if step.change != nil {
			step.change("b")
		}
		for _, addr := range []string{"192.0.2.2", "2001:db8::2"} {
			// IPv6 looks for another route first when a link is back.
			deadline := time.Now().Add(10 * time.Second)
			err := s.dial(t, addr)
			for step.want && err != nil && time.Now().Before(deadline) {
				err = s.dial(t, addr)
			}
			if connected := err == nil; connected != step.want {
				t.Errorf("%s: %s: %v", step.name, addr, err)
			}
		}
	}
}

func TestDoWithNetRaw(t *testing.T) {
	n := New(t)
	err := n.DoWithNetRaw(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
	if err != nil {
		t.Errorf("a packet socket: %v", err)
	}
	if err := n.DoWithNetRaw(func() error { return unix.Unshare(unix.CLONE_NEWNET) }); !errors.Is(err, unix.EPERM) {
		t.Errorf("another namespace: %v, want EPERM", err)
	}
}

// A daemon is killed when the test says so, when the test ends, and when the
// test program dies.
func TestDaemons(t *testing.T) {
	ways := []struct {
		name string
		end  func(d *Daemons, endTest func())
	}{
		{"Kill", func(d *Daemons, _ func()) { d.Kill() }},
		{"end of the test", func(_ *Daemons, endTest func()) { endTest() }},
		{"death of the program", func(d *Daemons, _ func()) { _, _ = d.running[0].alive.Close(), d.running[0].Wait() }},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			n := New(t)
			started, end := make(chan *Daemons), make(chan struct{})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				t.Run("", func(t *testing.T) {
					d := NewDaemons(t, n)
					d.Run("sleep", "1000")
					started <- d
					<-end
				})
			}()
			d := <-started
			pid := d.running[0].Process.Pid
			way.end(d, func() { close(end); <-ended })
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("kill = %v, want no such process", err)
			}
			if way.name != "end of the test" {
				close(end)
				<-ended
			}
			if _, err := os.Stat(d.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("files are left: %v", err)
			}
		})
	}
}

func TestRouters(t *testing.T) {
	t.Run("FRR", func(t *testing.T) {
		f := NewFRR(t, New(t))
		for range 2 { // again after a kill
			f.Start("hostname tested\n", "bfdd", "bgpd")
			if got := string(f.Vtysh("show running-config")); !strings.Contains(got, "hostname tested") {
				t.Errorf("running-config: %s", got)
			}
			f.Kill()
		}
	})
	t.Run("BIRD", func(t *testing.T) {
		b := NewBIRD(t, New(t))
		b.Start("router id 192.0.2.1;\nprotocol device one {}\n")
		if got := string(b.Birdc("show", "protocols")); !strings.Contains(got, "one") {
			t.Errorf("protocols: %s", got)
		}
		b.Configure("router id 192.0.2.1;\nprotocol device two {}\n")
		if got := string(b.Birdc("show", "protocols")); !strings.Contains(got, "two") {
			t.Errorf("protocols: %s", got)
		}
	})
}
