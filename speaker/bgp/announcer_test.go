package bgp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// two returns two peers and some routes for them.
func two(routes ...desired.Route) desired.BGP {
	return desired.BGP{
		Sessions: []*config.Peer{peerNamed("a", "192.0.2.253", nil), peerNamed("b", "192.0.2.254", nil)},
		Routes:   routes,
	}
}

func wantLog(t *testing.T, r *fakeRouter, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, r.drain()); d != "" {
		t.Errorf("done (-want +got)\n%s", d)
	}
}

func TestSet(t *testing.T) {
	inWorld(t, func(w *world) {
		want := two(routeTo("10.0.0.1/32", "a", "b"), routeTo("10.0.0.2/32", "a"), routeTo("2001:db8:1::1/128", "b"))
		w.set(want)
		wantLog(t, w.router, "open a", "open b")
		a := []string{"10.0.0.1/32 via 192.0.2.1", "10.0.0.2/32 via 192.0.2.1"}
		b := []string{"10.0.0.1/32 via 192.0.2.1", "2001:db8:1::1/128 via 2001:db8::1"}
		if d := cmp.Diff(a, w.router.table("a")); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(b, w.router.table("b")); d != "" {
			t.Error(d)
		}

		// An equal set is a no-op.
		w.set(two(slices.Clone(want.Routes)...))
		wantLog(t, w.router)

		// What changes goes to whom it concerns, what is new before what goes.
		w.set(two(routeTo("10.0.0.1/32", "a", "b"), routeTo("10.0.0.3/32", "a", "b"), routeTo("2001:db8:1::1/128", "b")))
		wantLog(t, w.router, "announce a 1", "announce b 1", "withdraw a 1")

		// Nothing at all ends everything.
		w.set(desired.BGP{})
		if open := w.router.open(); len(open) > 0 || len(w.Sessions()) > 0 {
			t.Errorf("open %v, sessions %v", open, w.Sessions())
		}
		log := w.router.drain() // both at once
		slices.Sort(log)
		if d := cmp.Diff([]string{"close a cease", "close b cease"}, log); d != "" {
			t.Error(d)
		}
	})
}

func TestStatus(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(two(routeTo("10.0.0.1/32", "a", "b"), routeTo("2001:db8:1::1/128", "b")))
		w.router.tell("b", Event{State: Active, Reason: "connection refused"})
		if s := w.status("b"); s.State != Active || s.LastError != "connection refused" || s.PrefixesSent != 0 {
			t.Errorf("%+v", s)
		}
		<-w.Changed()
		w.router.tell("b", Event{State: Connect})
		w.router.tell("b", Event{State: Active, Reason: "connection refused"})
		synctest.Wait()
		select {
		case <-w.Changed():
			t.Error("a token for nothing that matters")
		default:
		}
		w.router.tell("b", Event{State: EstablishedState, Established: Established{IPv4: true}})
		s := w.status("b")
		if s.State != EstablishedState || s.PrefixesSent != 1 || !strings.Contains(s.LastError, "1 IPv6 prefixes not sent") || s.Since.IsZero() {
			t.Errorf("%+v", s)
		}
		<-w.Changed()
		w.router.tell("b", Event{State: Idle, Reason: "hold timer expired"})
		if s := w.status("b"); s.State != Idle || s.LastError != "hold timer expired" {
			t.Errorf("%+v", s)
		}
	})
}

// A session whose settings change is closed and opened, and no other; routes
// survive where both ends agree to that.
func TestNeighborChange(t *testing.T) {
	graceful := func(password string) func(p *config.Peer) {
		return func(p *config.Peer) { p.GracefulRestart, p.Password = true, password }
	}
	for _, tt := range []struct {
		name    string
		restart time.Duration
		want    string
	}{{"graceful restart", time.Minute, "keep"}, {"none agreed", 0, "cease"}} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				want := two(routeTo("10.0.0.1/32", "a", "b"))
				want.Sessions[1] = peerNamed("b", "192.0.2.254", graceful("one"))
				w.set(want)
				w.router.establish("a", 0)
				w.router.establish("b", tt.restart)
				synctest.Wait()
				w.router.drain()
				w.router.change(func() { w.router.slow = 500 * time.Millisecond })

				want = two(want.Routes...)
				want.Sessions[1] = peerNamed("b", "192.0.2.254", graceful("two"))
				w.set(want)
				pause.For(w.t.Context(), time.Second)
				synctest.Wait()
				wantLog(t, w.router, "close b "+tt.want, "open b")
				if got := w.router.table("b"); len(got) != 1 {
					t.Errorf("table %v", got)
				}
			})
		})
	}
}

// A peer that got another name is closed before it is opened: a router takes one
// session from an address.
func TestRename(t *testing.T) {
	inWorld(t, func(w *world) {
		w.router.change(func() { w.router.slow = 500 * time.Millisecond })
		w.set(desired.BGP{Sessions: []*config.Peer{peerNamed("a", "192.0.2.254", nil)}})
		w.set(desired.BGP{Sessions: []*config.Peer{peerNamed("b", "192.0.2.254", nil)}})
		pause.For(w.t.Context(), time.Second)
		synctest.Wait()
		wantLog(t, w.router, "open a", "close a cease", "open b")
	})
}

func TestNoRoute(t *testing.T) {
	inWorld(t, func(w *world) {
		want := desired.BGP{
			Sessions: []*config.Peer{peerNamed("far", "203.0.113.1", nil)}, Routes: []desired.Route{routeTo("10.0.0.1/32", "far")},
		}
		w.set(want)
		if s := w.status("far"); s.LastError != "no route to 203.0.113.1: network is unreachable" || s.State != Idle {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router)
		w.host.mu.Lock()
		w.host.routes[addr("203.0.113.1")] = addr("198.51.100.1")
		w.host.mu.Unlock()
		pause.For(w.t.Context(), lastRetry)
		synctest.Wait()
		wantLog(t, w.router, "open far")
		if d := cmp.Diff([]string{"10.0.0.1/32 via 198.51.100.1"}, w.router.table("far")); d != "" {
			t.Error(d)
		}
	})
}

// A session that cannot be opened disturbs no other, and is tried again.
func TestOpenFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.router.change(func() { w.router.refuse["a"] = true })
		err := w.Set(w.t.Context(), two(routeTo("10.0.0.1/32", "a", "b")))
		if err == nil || !strings.Contains(err.Error(), `bgp peer "a": open session: broken`) {
			t.Errorf("error %v", err)
		}
		wantLog(t, w.router, "open b")
		if s := w.status("a"); s.LastError != "broken" {
			t.Errorf("%+v", s)
		}
		w.router.change(func() { w.router.refuse["a"] = false })
		pause.For(w.t.Context(), 2*firstRetry)
		synctest.Wait()
		wantLog(t, w.router, "open a")
	})
}

// The session's own address may turn out to be another one.
func TestLocalAddress(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(two(routeTo("10.0.0.1/32", "b"), routeTo("2001:db8:1::1/128", "b")))
		w.router.tell("b", Event{State: EstablishedState, Established: Established{Local: addr("198.51.100.1"), IPv4: true, IPv6: true}})
		synctest.Wait()
		wantLog(t, w.router, "open a", "open b", "announce b 1")
		if d := cmp.Diff([]string{"10.0.0.1/32 via 198.51.100.1", "2001:db8:1::1/128 via 2001:db8::1"}, w.router.table("b")); d != "" {
			t.Error(d)
		}
	})
}

// Another speaker on this node passes routes on, so their next hops are the
// addresses that the node has to the world.
func TestLocalhost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.mu.Lock()
		w.host.routes[addr("127.0.0.1")] = addr("127.0.0.1")
		w.host.routes[anybody4], w.host.routes[anybody6] = addr("192.0.2.7"), addr("2001:db8::7")
		w.host.mu.Unlock()
		w.set(desired.BGP{
			Sessions: []*config.Peer{peerNamed("a", "127.0.0.1", nil)},
			Routes:   []desired.Route{routeTo("10.0.0.1/32", "a"), routeTo("2001:db8:1::1/128", "a")},
		})
		if d := cmp.Diff([]string{"10.0.0.1/32 via 192.0.2.7", "2001:db8:1::1/128 via 2001:db8::7"}, w.router.table("a")); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	})
}

func TestNoNextHop(t *testing.T) {
	inWorld(t, func(w *world) {
		w.host.links[0].Prefixes = w.host.links[0].Prefixes[:1]
		w.set(two(routeTo("10.0.0.1/32", "b"), routeTo("2001:db8:1::1/128", "b")))
		w.router.establish("b", 0)
		s := w.status("b")
		want := "1 IPv6 prefixes not sent: this node has no IPv6 address on interface eth0 that could be their next hop"
		if s.PrefixesSent != 1 || s.LastError != want {
			t.Errorf("%+v", s)
		}
		w.host.mu.Lock()
		w.host.links = nodeLinks()
		w.host.mu.Unlock()
		w.set(two(routeTo("10.0.0.1/32", "b"), routeTo("2001:db8:1::1/128", "b")))
		if s := w.status("b"); s.PrefixesSent != 2 || s.LastError != "" {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router, "open a", "open b", "announce b 1")
	})
}

// Law: after any sequence of sets, failures and events of sessions, the
// neighbors have what is wanted, and nothing was sent twice.
func TestConverges(t *testing.T) {
	for seed := range uint64(150) {
		inWorld(t, func(w *world) {
			r := rand.New(rand.NewPCG(seed, 1))
			var want desired.BGP
			for range 25 {
				if r.IntN(4) > 0 {
					want = someBGP(r, want)
					_ = w.Set(w.t.Context(), want)
				}
				w.disturb(r)
			}
			w.router.change(func() {
				for _, s := range w.router.sessions {
					s.broken = false
				}
				clear(w.router.refuse)
			})
			pause.For(w.t.Context(), time.Minute)
			synctest.Wait()
			w.verify(want)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// disturb has something happen.
func (w *world) disturb(r *rand.Rand) {
	synctest.Wait()
	w.router.mu.Lock()
	w.router.slow = time.Duration(r.IntN(3)) * 300 * time.Millisecond
	w.router.refuse["b"] = r.IntN(5) == 0
	for _, s := range w.router.sessions {
		s.broken = r.IntN(6) == 0
	}
	w.router.mu.Unlock()
	if open := w.router.open(); len(open) > 0 && r.IntN(2) == 0 {
		name := open[r.IntN(len(open))]
		if r.IntN(2) == 0 {
			w.router.tell(name, Event{State: Idle, Reason: "lost"})
		} else {
			local := []netip.Addr{{}, addr("192.0.2.1"), addr("198.51.100.1")}[r.IntN(3)]
			w.router.tell(name, Event{State: EstablishedState, Established: Established{Local: local, IPv4: true, IPv6: true, GracefulRestart: time.Duration(r.IntN(2))}})
		}
	}
	if watched := w.detector.Status(); len(watched) > 0 {
		slices.SortFunc(watched, func(a, b bfd.Status) int { return strings.Compare(a.Session.Name, b.Session.Name) })
		name := watched[r.IntN(len(watched))].Session.Name
		states := []bfd.State{bfd.AdminDown, bfd.Down, bfd.Init, bfd.Up, bfd.Up}
		w.detector.say(name, states[1+r.IntN(4)], states[r.IntN(5)], 0)
	}
	pause.For(w.t.Context(), time.Duration(r.IntN(2000))*time.Millisecond)
}

// verify compares what neighbors have with what is wanted.
func (w *world) verify(want desired.BGP) {
	w.t.Helper()
	var names []string
	for _, c := range want.Sessions {
		if c.Address == unreachable {
			continue
		}
		names = append(names, c.Name)
		var table []string
		for _, wish := range wishes(want.Routes, c.Name) {
			table = append(table, describe(Path{Prefix: wish.prefix, Attributes: *wish.attributes}))
		}
		hops := [2]string{"192.0.2.1", "2001:db8::1"}
		if local := w.router.locals[c.Name]; local.IsValid() {
			hops[0] = local.String()
		}
		got := w.router.table(c.Name)
		for i := range got {
			before, after, _ := strings.Cut(got[i], " via ")
			hop, rest, _ := strings.Cut(after, " ")
			if four := addr(hop).Is4(); four && hops[0] != hop || !four && hops[1] != hop {
				w.t.Errorf("%s has %s, want next hops %v", c.Name, got[i], hops)
			}
			got[i] = strings.TrimSpace(before + " via invalid IP " + rest)
		}
		if d := cmp.Diff(table, got); d != "" {
			w.t.Errorf("table of %s (-want +got)\n%s", c.Name, d)
		}
	}
	if d := cmp.Diff(names, w.router.open()); d != "" {
		w.t.Errorf("sessions (-want +got)\n%s", d)
	}
}

// unreachable is the address of a router that there is no route to.
var unreachable = addr("203.0.113.9")

// someBGP returns a random set, which shares memory with the one before.
func someBGP(r *rand.Rand, before desired.BGP) desired.BGP {
	var out desired.BGP
	var names []string
	for i, name := range []string{"a", "b", "c"} {
		if r.IntN(5) == 0 {
			continue
		}
		if j := slices.IndexFunc(before.Sessions, func(p *config.Peer) bool { return p.Name == name }); j >= 0 && r.IntN(5) > 0 {
			out.Sessions = append(out.Sessions, before.Sessions[j])
		} else {
			out.Sessions = append(out.Sessions, peerNamed(name, fmt.Sprintf("192.0.2.%d", 253+(i+r.IntN(2))%2), func(p *config.Peer) {
				p.GracefulRestart, p.Password = r.IntN(2) == 0, string(rune('p'+r.IntN(2)))
				if name == "c" {
					p.Address = addr("192.0.2.99")
					p.SourceAddress = addr("192.0.2.1")
				} else if r.IntN(5) == 0 {
					p.Address = unreachable
				}
				if r.IntN(2) == 0 {
					p.BFD = &config.BFDProfile{Name: "fast", DetectMultiplier: 3}
				}
			}))
		}
		names = append(names, name)
	}
	// Two peers with one address are no configuration.
	if len(out.Sessions) > 1 && out.Sessions[0].Address == out.Sessions[1].Address {
		out.Sessions, names = out.Sessions[1:], names[1:]
	}
	if len(names) == 0 {
		return out
	}
	for i := range 6 {
		p := fmt.Sprintf("10.0.0.%d/32", i)
		if i > 3 {
			p = fmt.Sprintf("2001:db8:1::%d/128", i)
		}
		left := slices.Clone(names)
		for len(left) > 0 && r.IntN(3) > 0 {
			n := 1 + r.IntN(len(left))
			route := routeTo(p, left[:n]...)
			if r.IntN(2) == 0 {
				med := uint32(r.IntN(2))
				route.Attributes.MED = &med
			}
			out.Routes = append(out.Routes, route)
			left = left[n:]
		}
	}
	slices.SortStableFunc(out.Routes, func(a, b desired.Route) int { return a.Prefix.Compare(b.Prefix) })
	return out
}

// A next hop that was lost with a route is found again when the route is back,
// although nobody tells of that.
func TestNextHopComesBack(t *testing.T) {
	inWorld(t, func(w *world) {
		ways := func(change func(routes map[netip.Addr]netip.Addr)) {
			w.host.mu.Lock()
			defer w.host.mu.Unlock()
			change(w.host.routes)
		}
		there := func(routes map[netip.Addr]netip.Addr) { routes[anybody4] = addr("192.0.2.1") }
		ways(there)
		ways(func(routes map[netip.Addr]netip.Addr) { routes[addr("127.0.0.1")] = addr("127.0.0.1") })
		want := desired.BGP{
			Sessions: []*config.Peer{peerNamed("a", "127.0.0.1", nil)},
			Routes:   []desired.Route{routeTo("10.0.0.1/32", "a")},
		}
		w.set(want)
		w.router.establish("a", 0)
		ways(func(routes map[netip.Addr]netip.Addr) { delete(routes, anybody4) })
		w.set(want)
		wantLog(t, w.router, "open a", "withdraw a 1")
		const lacking = "1 IPv4 prefixes not sent: this node has no IPv4 address on the link to the router that could be their next hop"
		if s := w.status("a"); s.LastError != lacking {
			t.Errorf("%+v", s)
		}
		pause.For(w.t.Context(), time.Minute)
		ways(there)
		pause.For(w.t.Context(), lastRetry)
		wantLog(t, w.router, "announce a 1")
		if s := w.status("a"); s.LastError != "" || s.PrefixesSent != 1 {
			t.Errorf("%+v", s)
		}
	})
}
