package bgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// inNetns runs an Announcer with BFD of its own in a namespace where e0 is
// 192.0.2.1 and e1, its other end, is there for a router.
func inNetns(t *testing.T, n *netns, r Router, test func(a *Announcer)) {
	t.Helper()
	links := func() ([]desired.Link, error) { return []desired.Link{link("e0", "192.0.2.1/24")}, nil }
	ctx, cancel := context.WithCancel(t.Context())
	a := newAnnouncer(Config{Node: "n1", Router: r, Links: links}, &fakeHost{
		routes: map[netip.Addr]netip.Addr{addr("192.0.2.254"): addr("192.0.2.1"), addr("127.0.0.2"): addr("127.0.0.1")},
	})
	a.config.Detector = inside{Manager: a.config.Detector.(*bfd.Manager), n: n}
	ended := make(chan error)
	go func() { ended <- a.Start(ctx) }()
	test(a)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// inside runs a Manager in a namespace.
type inside struct {
	*bfd.Manager
	n *netns
}

func (i inside) Start(ctx context.Context) error {
	return i.n.do(func() error { return i.Manager.Start(ctx) })
}

// await returns the first statuses that fit.
func await(t *testing.T, a *Announcer, fits func(Status) bool) Status {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if list := a.Sessions(); len(list) > 0 && fits(list[0]) {
			return list[0]
		}
		select {
		case <-a.Changed():
		case <-deadline:
			t.Fatalf("still %+v, %+v", a.Sessions(), a.Sessions()[0].BFD)
		}
	}
}

// A port that another program has is told in the status, and disturbs nothing.
func TestBFDPortTaken(t *testing.T) {
	n := newNetns(t)
	n.admin(t, func() error { return setAddress("e0", "192.0.2.1/24") })
	var other net.PacketConn
	if err := n.do(func() (err error) { other, err = net.ListenPacket("udp4", ":3784"); return err }); err != nil {
		t.Fatal(err)
	}
	r := newFakeRouter(t)
	inNetns(t, n, r, func(a *Announcer) {
		want := watched(50 * time.Millisecond)
		if err := a.Set(t.Context(), want); err != nil {
			t.Error(err)
		}
		s := await(t, a, func(s Status) bool { return s.BFD.Diagnostic != "" })
		if !strings.Contains(s.BFD.Diagnostic, "port 3784 of udp4: another program on this host uses it") || s.LastError != "" {
			t.Errorf("%+v, %+v", s, s.BFD)
		}
		if open := r.open(); !slices.Equal(open, []string{"a"}) {
			t.Errorf("open: %v", open)
		}
		_ = other.Close()
		await(t, a, func(s Status) bool { return s.BFD.Diagnostic == "" })
	})
}

// When the router falls silent its session is reset right when BFD has noticed,
// and opened again when BFD is up again.
func TestBFDResets(t *testing.T) {
	n, far := newNetns(t), newNetns(t)
	n.admin(t, func() error { return errors.Join(setAddress("e0", "192.0.2.1/24"), move("e1", "r0", far)) })
	far.admin(t, func() error {
		l, err := netlink.LinkByName("r0")
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetUp(l), setAddress("r0", "192.0.2.254/24"))
	})
	r := newFakeRouter(t)
	r.resetC = make(chan time.Time, 1)
	inNetns(t, n, r, func(a *Announcer) {
		if err := a.Set(t.Context(), watched(20*time.Millisecond)); err != nil {
			t.Error(err)
		}
		for range 3 {
			router := bfd.New(bfd.Config{})
			router.Hush() // it ends as if it were cut off
			ctx, cut := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- far.do(func() error { return router.Start(ctx) }) }()
			if err := router.Set(ctx, []bfd.Session{{
				Remote: addr("192.0.2.1"), Profile: bfd.Profile{Transmit: 20 * time.Millisecond, Receive: 20 * time.Millisecond},
			}}); err != nil {
				t.Error(err)
			}
			await(t, a, func(s Status) bool { return s.BFD.State == "Up" && len(r.open()) == 1 })
			r.establish("a", 0)
			await(t, a, func(s Status) bool { return s.State == EstablishedState })
			cut()
			<-ended
			at := <-r.resetC
			s := await(t, a, func(s Status) bool { return s.BFD.State == "Down" && s.State == Idle })
			t.Logf("reset %v after the event: %s", at.Sub(s.BFD.Since), s.LastError)
		}
	})
}

// move renames an interface and puts it into another namespace.
func move(name, as string, to *netns) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, as), netlink.LinkSetNsFd(l, int(to.f.Fd())))
}
