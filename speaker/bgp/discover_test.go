package bgp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/desired"
)

// unnumbered returns a peer on eth1.
func unnumbered() desired.BGP {
	return desired.BGP{
		Sessions: []*config.Peer{peerNamed("u", "", func(p *config.Peer) { p.Interface = "eth1" })},
		Routes:   []desired.Route{routeTo("10.0.0.1/32", "u"), routeTo("2001:db8:1::1/128", "u")},
	}
}

func (w *world) advertise(from string, gateway bool) {
	synctest.Wait()
	w.host.mu.Lock()
	heard := w.host.heard["eth1"]
	w.host.mu.Unlock()
	heard(advert{from: addr(from), gateway: gateway})
	synctest.Wait()
}

func TestUnnumbered(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(unnumbered())
		if s := w.status("u"); s.LastError != "no router advertises itself on interface eth1" || s.Address.IsValid() {
			t.Errorf("%+v", s)
		}
		w.advertise("fe80::99%eth1", false)
		if s := w.status("u"); s.Address != addr("fe80::99%eth1") || s.LastError != "" {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router, "open u")
		if n := w.router.sessions["u"].neighbor; !n.ExtendedNextHop || n.RouterID != addr("192.0.2.1") {
			t.Errorf("%+v", n)
		}
		if d := cmp.Diff([]string{"10.0.0.1/32 via fe80::11", "2001:db8:1::1/128 via fe80::11"}, w.router.table("u")); d != "" {
			t.Error(d)
		}
		w.router.tell("u", Event{State: EstablishedState, Established: Established{IPv6: true}})
		const refused = "1 IPv4 prefixes not sent: the router has not agreed to IPv4 unicast with IPv6 next hops (RFC 8950)"
		if s := w.status("u"); s.LastError != refused || s.PrefixesSent != 1 {
			t.Errorf("%+v", s)
		}
		w.router.establish("u", 0)
		synctest.Wait()

		// Who else advertises itself has no part in a session that is established.
		pause.For(w.t.Context(), time.Minute)
		w.advertise("fe80::98%eth1", true)
		wantLog(t, w.router)

		// The interface goes down, and comes up again.
		w.host.mu.Lock()
		w.host.links[1].Up = false
		w.host.mu.Unlock()
		w.set(unnumbered())
		if s := w.status("u"); s.LastError != "interface eth1 is down" || s.State != Idle {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router, "reset u: interface eth1 is down", "close u cease")
		w.host.mu.Lock()
		w.host.links = nodeLinks()
		w.host.mu.Unlock()
		w.set(unnumbered())
		wantLog(t, w.router, "open u")

		w.set(desired.BGP{})
		if len(w.host.heard) != 0 {
			t.Error("still looks for a router")
		}
	})
}

func TestCandidate(t *testing.T) {
	one, other := addr("fe80::1%e"), addr("fe80::2%e")
	tests := []struct {
		name string
		have candidate
		a    advert
		up   bool
		age  time.Duration
		want bool
	}{
		{name: "first", a: advert{from: one}, want: true},
		{name: "same", have: candidate{from: one}, a: advert{from: one, gateway: true}, age: time.Hour},
		{name: "another, too soon", have: candidate{from: one}, a: advert{from: other}, age: tryFor / 2},
		{name: "another, at last", have: candidate{from: one}, a: advert{from: other}, age: tryFor, want: true},
		{name: "another, established", have: candidate{from: one}, a: advert{from: other, gateway: true}, up: true, age: time.Hour},
		{name: "gateway, at once", have: candidate{from: one}, a: advert{from: other, gateway: true}, want: true},
		{name: "gateway is kept longer", have: candidate{from: one, gateway: true}, a: advert{from: other}, age: tryFor},
		{name: "but not for ever", have: candidate{from: one, gateway: true}, a: advert{from: other}, age: 3 * tryFor, want: true},
		{name: "two gateways", have: candidate{from: one, gateway: true}, a: advert{from: other, gateway: true}, age: tryFor, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			c := tt.have
			c.chosen = now.Add(-tt.age)
			if got := c.hear(tt.a, tt.up, now); got != tt.want || got && c.from != tt.a.from {
				t.Errorf("got %v, %+v", got, c)
			}
		})
	}
}
