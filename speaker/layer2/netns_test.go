package layer2

import (
	"errors"
	"net"
	"os"
	"testing"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// A vethLAN is a wireLAN of veth pairs: each interface of the host, h0, has a
// peer, ph0, on which the test plays the other stations.
type vethLAN struct {
	t     testing.TB
	ns    *netnstest.Namespace
	peers map[string]*packet.Conn
	sent  map[string]chan []byte
}

func newVethLAN(t testing.TB, names ...string) *vethLAN {
	t.Helper()
	l := &vethLAN{t: t, ns: netnstest.New(t), peers: map[string]*packet.Conn{}, sent: map[string]chan []byte{}}
	for _, name := range names {
		l.create(name)
	}
	return l
}

// create adds an interface and starts to read what the host sends on it.
func (l *vethLAN) create(name string) {
	l.t.Helper()
	if l.sent[name] == nil {
		l.sent[name] = make(chan []byte, 1<<12)
	}
	sent := l.sent[name]
	l.ns.Veth(l.t, name, l.ns, "p"+name)
	l.ns.Must(l.t, func() error {
		ifi, err := net.InterfaceByName("p" + name)
		if err != nil {
			return err
		}
		c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		if err != nil {
			return err
		}
		l.t.Cleanup(func() { _ = c.Close() })
		l.peers[name] = c
		go func() {
			for {
				buf := make([]byte, 2048)
				n, _, err := c.ReadFrom(buf)
				if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADF) {
					return
				}
				if err == nil && len(sent) < cap(sent) {
					sent <- buf[:n]
				}
			}
		}()
		return nil
	})
}

func (l *vethLAN) send(name string, frame []byte) {
	l.t.Helper()
	if _, err := l.peers[name].WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *vethLAN) frames(name string) <-chan []byte { return l.sent[name] }

func (l *vethLAN) mac(name string) mac {
	l.t.Helper()
	var m mac
	l.ns.Change(l.t, name, func(k netlink.Link) error {
		m, _ = toMAC(k.Attrs().HardwareAddr)
		return nil
	})
	return m
}

func (l *vethLAN) setMAC(name string, m mac) {
	l.ns.Change(l.t, name, func(k netlink.Link) error { return netlink.LinkSetHardwareAddr(k, m.hw()) })
}

// setCarrier sets the peer up or down, as a cable that is plugged or pulled.
func (l *vethLAN) setCarrier(name string, up bool) {
	l.ns.Change(l.t, "p"+name, func(k netlink.Link) error {
		if up {
			return netlink.LinkSetUp(k)
		}
		return netlink.LinkSetDown(k)
	})
}

func (l *vethLAN) remove(name string) {
	l.ns.Change(l.t, name, netlink.LinkDel)
	_ = l.peers[name].Close()
}

func (l *vethLAN) announcer(t *testing.T) (*Announcer, func(run func() error) error) {
	t.Helper()
	return New(Config{Probe: true}), l.ns.DoWithNetRaw
}
