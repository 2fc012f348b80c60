package layer2

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heraldlb/herald/speaker/desired"
)

// fellowMAC is the station of a fellow speaker.
var fellowMAC = mac{2, 0xfe, 0, 0, 0, 1}

// yielding returns a copy of want that yields everything.
func yielding(want []desired.Layer2Address) []desired.Layer2Address {
	out := append([]desired.Layer2Address(nil), want...)
	for i := range out {
		out[i].Yield = true
	}
	return out
}

// all matches every frame.
func all([]byte) bool { return true }

// claims matches what says that addr is at self, to everybody.
func claims(t testing.TB, self mac, addr string) func([]byte) bool {
	a := ip(t, addr)
	return func(b []byte) bool {
		if f, ok := parseARP(b); ok && a.Is4() {
			return f.destination == broadcast && f.senderMAC == self && f.sender == a
		}
		f, ok := parseNDP(b)
		return ok && a.Is6() && f.advert && f.source == self && f.target == a && mac(b) == allNodesMAC
	}
}

// question is what the stranger asks for addr, and isAnswer matches the answer.
func question(t testing.TB, self mac, addr string) (frame []byte, isAnswer func([]byte) bool) {
	if a := ip(t, addr); a.Is6() {
		return solicit(t, self, "fe80::99", addr, addr), func(b []byte) bool {
			f, ok := parseNDP(b)
			return ok && f.advert && f.from == a && f.target == a && f.link == self && mac(b) == stranger
		}
	}
	return ask(t, self, "192.0.2.99", addr), replies(self, addr)
}

// answers and silent check whether a question about addr gets an answer on h0.
func (r *rig) answers(addr string) {
	r.t.Helper()
	q, isAnswer := question(r.t, r.mac("h0"), addr)
	r.send("h0", q)
	r.until("h0", "answer for "+addr, isAnswer)
}

func (r *rig) silent(addr string) {
	r.t.Helper()
	q, isAnswer := question(r.t, r.mac("h0"), addr)
	r.send("h0", q)
	r.silence("h0", "answers for "+addr, isAnswer)
}

// led checks what is answered for.
func (r *rig) led(want map[string][]string) {
	r.t.Helper()
	if diff := cmp.Diff(want, sortedLed(r.a)); diff != "" {
		r.t.Errorf("Led (-want +got):\n%s", diff)
	}
}

// changed waits for a token of Changed.
func (r *rig) changed(what string) {
	r.t.Helper()
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-r.a.Changed():
	case <-timer.C:
		r.t.Fatalf("no token %s", what)
	}
}

// An address that yields is answered and not announced, until any other station
// claims it; after that it is taken up again only when it is wanted in full.
func TestYield(t *testing.T) {
	for name, addr := range map[string]string{"IPv4": "192.0.2.1", "IPv6": "2001:db8::1:2"} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, r *rig) {
				const other = "192.0.2.77"
				self := r.mac("h0")
				want := r.want([]string{"h0"}, other, addr)
				r.set(want)
				r.until("h0", "announcement before", claims(t, self, addr))

				give := append(want[:1:1], yielding(want[1:])...)
				r.set(give)
				r.count("h0", 50*time.Millisecond, all) // what was on its way
				if n := r.count("h0", 2*time.Second, claims(t, self, addr)); n > 0 {
					t.Errorf("%d announcements of an address that yields", n)
				}
				r.answers(addr)
				r.led(map[string][]string{other: {"h0"}, addr: {"h0"}})

				r.a.SetFellows(map[[6]byte]string{fellowMAC: "b"})
				r.send("h0", claimBy(t, fellowMAC, addr))
				r.changed("when the address was claimed")
				r.led(map[string][]string{other: {"h0"}})
				r.silent(addr)
				r.answers(other)

				r.set(give)
				r.led(map[string][]string{other: {"h0"}})
				r.silent(addr)
				r.set(want[:1])
				r.silent(addr)
				r.set(give)
				r.silent(addr)

				r.set(want)
				r.until("h0", "announcement when it has come back", claims(t, self, addr))
				r.answers(addr)
			})
		})
	}
}

// Who has claimed an address up to a second before it is yielded is the
// successor, be it a fellow or not; who did so earlier, or before the address
// came back to us, is not.
func TestYieldAfterClaim(t *testing.T) {
	tests := []struct {
		name string
		by   mac
		ago  time.Duration
		back bool
		led  bool
	}{
		{"fellow", fellowMAC, 900 * time.Millisecond, false, false},
		{"stranger", stranger, 900 * time.Millisecond, false, false},
		{"too early", fellowMAC, 1100 * time.Millisecond, false, true},
		{"before it came back", fellowMAC, 900 * time.Millisecond, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
				want := r.want([]string{"h0"}, "192.0.2.1")
				r.a.SetFellows(map[[6]byte]string{fellowMAC: "b"})
				r.set(want)
				r.send("h0", claimBy(t, tt.by, "192.0.2.1"))
				r.count("h0", tt.ago, all)
				if tt.back {
					r.set(nil)
					r.set(want)
				}
				r.set(yielding(want))
				if led := len(r.a.Led()) > 0; led != tt.led {
					t.Errorf("led %t, want %t", led, tt.led)
				}
			})
		})
	}
}

// The claims of a fellow speaker to an address that is announced are counted as
// such, and nothing else happens; they end a drain.
func TestFellowsClaim(t *testing.T) {
	for name, addr := range map[string]string{"IPv4": "192.0.2.1", "IPv6": "2001:db8::1:2"} {
		t.Run(name, func(t *testing.T) {
			simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
				r.a.SetFellows(map[[6]byte]string{fellowMAC: "b"})
				r.set(r.want([]string{"h0"}, addr))
				r.count("h0", 2*time.Second, all)
				for range 10 {
					r.send("h0", claimBy(t, fellowMAC, addr))
				}
				r.silence("h0", "defences against a fellow", claims(t, r.mac("h0"), addr))
				if n := len(r.a.Conflicts()); n > 0 {
					t.Errorf("%d conflicts with a fellow", n)
				}
				for o, want := range map[outcome]float64{claimedByFellow: 10, claimed: 0} {
					if n := testutil.ToFloat64(r.a.metrics.requests.WithLabelValues("h0", o.String())); n != want {
						t.Errorf("%v of %s, want %v", n, o, want)
					}
				}
				r.answers(addr)
				if err := r.a.Drain(t.Context()); err != nil {
					t.Errorf("Drain = %v", err)
				}
			})
		})
	}
}

// A station that turns out to be a fellow is not defended against.
func TestStrangerBecomesFellow(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0"}, "192.0.2.1"))
		r.count("h0", 2*time.Second, all)
		r.send("h0", claimBy(t, stranger, "192.0.2.1"))
		synctest.Wait()
		r.a.SetFellows(map[[6]byte]string{stranger: "b"})
		if n := r.count("h0", time.Second, claims(t, r.mac("h0"), "192.0.2.1")); n > 0 {
			t.Errorf("%d defences", n)
		}
	})
}
