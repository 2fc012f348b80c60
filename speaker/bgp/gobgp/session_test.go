package gobgp

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/bgp"
)

// events collects those of a session.
type events struct {
	mu  sync.Mutex
	all []bgp.Event
}

func (e *events) notify(ev bgp.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) last() bgp.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) == 0 {
		return bgp.Event{}
	}
	return e.all[len(e.all)-1]
}

// count returns how often a state was told.
func (e *events) count(s bgp.State) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.all {
		if ev.State == s {
			n++
		}
	}
	return n
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var s strings.Builder
	for _, ev := range e.all[:min(len(e.all), 20)] {
		fmt.Fprintf(&s, "%s %v %q\n", ev.At.Format("05.000"), ev.State, ev.Reason)
	}
	return s.String()
}

// neighbor is a router on a link, by IPv4.
func (l *link) neighbor() bgp.Neighbor {
	return bgp.Neighbor{
		Name: "r", MyASN: 64512, PeerASN: 64513, Address: l.v4(2), Port: 179, RouterID: l.v4(1),
		HoldTime: 9 * time.Second, KeepaliveTime: 3 * time.Second, ConnectTime: 5 * time.Second,
	}
}

// openSession opens a session and has it closed at the end.
func openSession(t testing.TB, n bgp.Neighbor, paths ...bgp.Path) (bgp.Session, *events) {
	t.Helper()
	e := &events{}
	s, err := Router{}.Open(n, paths, e.notify)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close(bgp.Cease)
		if t.Failed() {
			t.Logf("events:\n%v", e)
		}
	})
	return s, e
}

func path(prefix string, hop netip.Addr) bgp.Path {
	return bgp.Path{Prefix: netip.MustParsePrefix(prefix), NextHop: hop}
}

// TestNoExtendedNextHop: a router that takes no IPv6 next hops for IPv4 prefixes
// gets none of these over a session that has no others.
func TestNoExtendedNextHop(t *testing.T) {
	l := newLink(t)
	d := newDecent(t, l)
	n := l.neighbor()
	n.ExtendedNextHop, n.GracefulRestart = true, true
	_, e := openSession(t, n, path("203.0.113.1/32", l.linkLocal(1)), path("2001:db8:ffff::1/128", l.linkLocal(1)))
	wait(t, "the end-of-RIB marker", func() bool { return d.markers.Load() == 1 })
	if got := e.last(); got.State != bgp.EstablishedState || got.Established.IPv4 || !got.Established.IPv6 {
		t.Errorf("got %+v", got)
	}
	if got := d.updates.Load(); got != 1 {
		t.Errorf("%d UPDATEs, want the one with the IPv6 prefix", got)
	}
}
