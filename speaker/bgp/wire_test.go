package bgp

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// inNetns runs an Announcer with BFD of its own in a namespace where e0 is
// 192.0.2.1 and has a wire.
func inNetns(t *testing.T, n *netnstest.Namespace, r Router, test func(a *Announcer)) {
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
	n *netnstest.Namespace
}

func (i inside) Start(ctx context.Context) error {
	return i.n.DoWithNetRaw(func() error { return i.Manager.Start(ctx) })
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
	n := newWire(t)
	n.Address(t, "e0", netip.MustParsePrefix("192.0.2.1/24"))
	var other net.PacketConn
	if err := n.DoWithNetRaw(func() (err error) { other, err = net.ListenPacket("udp4", ":3784"); return err }); err != nil {
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
	n, far := netnstest.New(t), netnstest.New(t)
	n.Veth(t, "e0", far, "r0")
	n.Address(t, "e0", netip.MustParsePrefix("192.0.2.1/24"))
	far.Address(t, "r0", netip.MustParsePrefix("192.0.2.254/24"))
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
			go func() { ended <- far.DoWithNetRaw(func() error { return router.Start(ctx) }) }()
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
