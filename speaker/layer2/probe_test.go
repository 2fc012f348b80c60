package layer2

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heraldlb/herald/speaker/desired"
)

// families have an address of each.
var families = map[string]string{"IPv4": "192.0.2.1", "IPv6": "2001:db8::1:2"}

// fresh returns a desired set of addresses that nobody has announced before.
func (r *rig) fresh(interfaces []string, addrs ...string) []desired.Layer2Address {
	r.t.Helper()
	w := r.want(interfaces, addrs...)
	for i := range w {
		w[i].Fresh, w[i].Cause = true, desired.Placed
	}
	return w
}

// asks matches a probe for addr.
func asks(t testing.TB, self mac, addr string) func([]byte) bool {
	a := ip(t, addr)
	return func(b []byte) bool {
		if f, ok := parseARP(b); ok && a.Is4() {
			return f.destination == broadcast && f.source == self && f.senderMAC == self &&
				f.sender == netip.IPv4Unspecified() && f.target == a
		}
		f, ok := parseNDP(b)
		return ok && a.Is6() && !f.advert && f.source == self && f.from == netip.IPv6Unspecified() && f.target == a
	}
}

// probeBy is a probe by another station.
func probeBy(t testing.TB, m mac, addr string) []byte {
	t.Helper()
	f, err := portKey{six: ip(t, addr).Is6()}.wire().probe(ip(t, addr), m)
	if err != nil {
		t.Fatal(err)
	}
	return f.data
}

// An address that is fresh is asked for three times, and announced and answered
// when nobody has objected.
func TestProbe(t *testing.T) {
	for name, addr := range families {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, r *rig) {
				r.count("h0", 100*time.Millisecond, all) // a real link is up a moment after it was made
				self := r.mac("h0")
				r.set(r.fresh([]string{"h0"}, addr))
				for range probes {
					r.until("h0", "probe", asks(t, self, addr))
				}
				r.until("h0", "announcement", claims(t, self, addr))
				r.answers(addr)
				r.changed("when the address was free")
				r.led(map[string][]string{addr: {"h0"}})
				r.send("h0", probeBy(t, r.mac("h1"), addr))
				if c := r.a.Contested(); len(c) > 0 {
					t.Errorf("Contested = %v", c)
				}
			})
		})
	}
}

// The times of it: 0, 5 and 10 ms, and from 15 ms on it is answered for. What
// has been announced by another node is answered for at once.
func TestProbeTimes(t *testing.T) {
	for name, addr := range families {
		t.Run(name, func(t *testing.T) {
			simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
				began, self := time.Now(), r.mac("h0")
				r.set(r.fresh([]string{"h0"}, addr))
				for i := range probes {
					r.until("h0", "probe", asks(t, self, addr))
					if at, want := time.Since(began), time.Duration(i)*probeInterval; at != want {
						t.Errorf("probe %d after %s, want %s", i, at, want)
					}
				}
				r.silentNow(addr)
				r.until("h0", "announcement", claims(t, self, addr))
				if at, want := time.Since(began), probes*probeInterval; at != want {
					t.Errorf("announced after %s, want %s", at, want)
				}
				r.answers(addr)

				began = time.Now()
				taken := r.want([]string{"h0"}, "192.0.2.8")
				taken[0].Cause = desired.TookOver
				r.set(append(r.fresh([]string{"h0"}, addr), taken...))
				r.answers("192.0.2.8")
				if at := time.Since(began); at > 0 {
					t.Errorf("taken over after %s", at)
				}
				for cause, want := range map[desired.Cause]float64{desired.Placed: 1, desired.TookOver: 1, desired.Kept: 0} {
					if n := testutil.ToFloat64(r.a.metrics.takeovers.WithLabelValues(cause.String())); n != want {
						t.Errorf("%v times %s, want %v", n, cause, want)
					}
				}
			})
		})
	}
}

// silentNow checks that a question gets no answer in no time.
func (r *rig) silentNow(addr string) {
	r.t.Helper()
	q, isAnswer := question(r.t, r.mac("h0"), addr)
	r.send("h0", q)
	synctest.Wait()
	for len(r.frames("h0")) > 0 {
		if isAnswer(<-r.frames("h0")) {
			r.t.Errorf("answer for %s, which is probed for", addr)
		}
	}
}

// An address that another station has, or wants at the same time, is left to it,
// and looked for again until it is free. Everybody can see that.
func TestProbeFinds(t *testing.T) {
	objections := map[string]func(testing.TB, mac, string) []byte{"answer": claimBy, "probe": probeBy}
	for family, addr := range families {
		for name, objection := range objections {
			t.Run(family+" "+name, func(t *testing.T) {
				onWire(t, func(t *testing.T, r *rig) {
					r.count("h0", 100*time.Millisecond, all)
					self := r.mac("h0")
					r.set(r.fresh([]string{"h0"}, addr))
					r.until("h0", "probe", asks(t, self, addr))
					r.send("h0", objection(t, stranger, addr))
					r.changed("when the address was found")
					want := []Conflict{{Address: ip(t, addr), MAC: stranger.String(), Interface: "h0"}}
					got := []Conflict{<-r.a.Conflicts()}
					for _, cs := range [][]Conflict{got, append([]Conflict(nil), r.a.Contested()...)} {
						for i := range cs {
							cs[i].At = time.Time{}
						}
						if diff := cmp.Diff(want, cs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
							t.Errorf("conflicts (-want +got):\n%s", diff)
						}
					}
					r.count("h0", 100*time.Millisecond, all)
					r.silence("h0", "announcements", claims(t, self, addr))
					r.silent(addr)
					r.led(map[string][]string{})

					if _, simulated := r.wireLAN.(simWire); !simulated {
						return // it takes ten seconds
					}
					r.count("h0", searchInterval-time.Second, all)
					r.until("h0", "probe again", asks(t, self, addr))
					r.until("h0", "announcement", claims(t, self, addr))
					r.answers(addr)
					r.changed("when the address was free")
					if c := r.a.Contested(); len(c) > 0 {
						t.Errorf("Contested = %v", c)
					}
				})
			})
		}
	}
}

// Who objects up to two seconds after the last probe has the address; who does
// so later is defended against.
func TestLateObjection(t *testing.T) {
	for after, concedes := range map[time.Duration]bool{1900 * time.Millisecond: true, 2100 * time.Millisecond: false} {
		t.Run(after.String(), func(t *testing.T) {
			simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
				const addr = "192.0.2.1"
				self := r.mac("h0")
				r.set(r.fresh([]string{"h0"}, addr))
				r.count("h0", after, all)
				r.led(map[string][]string{addr: {"h0"}})
				r.send("h0", claimBy(t, stranger, addr))
				n := r.count("h0", time.Second, claims(t, self, addr))
				if len(r.a.Contested()) > 0 != concedes || len(r.a.Led()) == 0 != concedes || (n == 0) != concedes {
					t.Errorf("%d defences, contested %v, led %v", n, r.a.Contested(), r.a.Led())
				}
			})
		})
	}
}

// While another station has an address, its traffic does not put off the next
// attempt, and is reported about once in ten seconds.
func TestContestedForLong(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		const addr = "192.0.2.1"
		r.set(r.fresh([]string{"h0"}, addr))
		probed := 0
		for range 600 {
			r.send("h0", claimBy(t, stranger, addr))
			probed += r.count("h0", 100*time.Millisecond, asks(t, r.mac("h0"), addr))
		}
		if n := len(r.a.Conflicts()); n < 5 || n > 7 || probed < 5 || probed > 7*probes {
			t.Errorf("%d conflicts and %d probes in a minute", n, probed)
		}
		if n := testutil.ToFloat64(r.a.metrics.contested.WithLabelValues("h0")); n != 1 {
			t.Errorf("%v contested addresses, want 1", n)
		}
		r.set(r.want([]string{"h0"}, addr)) // another node has announced it meanwhile
		r.answers(addr)
		if c := r.a.Contested(); len(c) > 0 {
			t.Errorf("Contested = %v", c)
		}
	})
}

// A fellow speaker that has, or wants, an address is no reason to wait; and one
// that is known as such only later is none from then on.
func TestFellowObjects(t *testing.T) {
	for family, addr := range families {
		t.Run(family, func(t *testing.T) {
			simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
				self := r.mac("h0")
				r.set(r.fresh([]string{"h0"}, addr))
				r.send("h0", probeBy(t, fellowMAC, addr))
				r.changed("when the address was found")
				if n := len(r.a.Contested()); n != 1 {
					t.Errorf("%d contested, want 1", n)
				}
				began := time.Now()
				r.a.SetFellows(map[[6]byte]string{fellowMAC: "b"})
				r.until("h0", "probe", asks(t, self, addr))
				r.send("h0", claimBy(t, fellowMAC, addr))
				r.until("h0", "announcement", claims(t, self, addr))
				if at, want := time.Since(began), probes*probeInterval; at != want {
					t.Errorf("announced after %s, want %s", at, want)
				}
			})
		})
	}
}

// Nobody answers on a link that is down: it is probed on when it is up.
func TestProbeWaitsForLink(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		const addr = "192.0.2.1"
		self := r.mac("h0")
		r.setCarrier("h0", false)
		r.set(r.fresh([]string{"h0"}, addr))
		if n := r.count("h0", time.Minute, all); n > 0 || len(r.a.Led()) > 0 {
			t.Errorf("%d frames on a link that is down, led %v", n, r.a.Led())
		}
		r.setCarrier("h0", true)
		for range probes {
			r.until("h0", "probe", asks(t, self, addr))
		}
		r.until("h0", "announcement", claims(t, self, addr))
	})
}

// A takeover does not wait for the probes of thousands of others, which together
// are paced; and probing may be turned off, and ends with the address.
func TestManyProbes(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		const n = 10_000
		want := many(n)
		for i := range want {
			want[i].Fresh = true
		}
		began := time.Now()
		r.set(want)
		r.until("h0", "first probe", asks(t, r.mac("h0"), want[0].Address.String()))
		taken := desired.Layer2Address{Address: ip(t, "192.0.2.1"), Interfaces: []string{"h0"}}
		r.set(append(want[:n:n], taken))
		r.until("h0", "announcement of a takeover", claims(t, r.mac("h0"), "192.0.2.1"))
		if took := time.Since(began); took > pacePause {
			t.Errorf("taken over after %s", took)
		}
		for len(r.a.Led()) <= n {
			<-r.a.Changed()
		}
		if took := time.Since(began); took > 3500*time.Millisecond {
			t.Errorf("%d addresses probed for in %s", n, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		lan := newSimLAN("h0")
		a := newAnnouncer(Config{}, lan)
		r := start(t, a, simWire{lan})
		r.set(r.fresh([]string{"h0"}, "192.0.2.1"))
		r.led(map[string][]string{"192.0.2.1": {"h0"}})
		r.stop()
	})
}

// An address that is dropped, or yielded, while it is probed for is forgotten.
func TestProbeEnds(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		want := r.fresh([]string{"h0"}, "192.0.2.1", "192.0.2.2")
		r.set(want)
		r.until("h0", "probe", asks(t, r.mac("h0"), "192.0.2.2"))
		r.set(yielding(want[:1]))
		if n := r.count("h0", time.Minute, all); n > 0 || len(r.a.Led()) > 0 {
			t.Errorf("%d frames, led %v", n, r.a.Led())
		}
		r.set(want)
		r.until("h0", "probe", asks(t, r.mac("h0"), "192.0.2.2"))
		if err := r.a.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v", err)
		}
	})
}
