package layer2

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"

	"github.com/heraldlb/herald/speaker/desired"
)

// A wireLAN is the network that a wire test plays on: simulated or real.
type wireLAN interface {
	// send delivers a frame to the host's interface; frames has what it sends.
	send(name string, frame []byte)
	frames(name string) <-chan []byte
	mac(name string) mac
	setMAC(name string, m mac)
	setCarrier(name string, up bool)
	remove(name string)
	create(name string)
	// announcer returns one for the host, and what its Start is to be run by.
	announcer(t *testing.T) (*Announcer, func(func() error) error)
}

// A simWire is a wireLAN in memory.
type simWire struct{ *simLAN }

func (w simWire) send(name string, f []byte)       { w.deliver(name, f) }
func (w simWire) frames(name string) <-chan []byte { return w.wires[name] }
func (w simWire) mac(name string) mac              { return w.links[name].mac }

func (w simWire) edit(name string, fn func(*link)) {
	l, _ := w.link(name)
	fn(&l)
	w.put(l)
}

func (w simWire) setMAC(name string, m mac)       { w.edit(name, func(l *link) { l.mac = m }) }
func (w simWire) setCarrier(name string, up bool) { w.edit(name, func(l *link) { l.running = up }) }

func (w simWire) create(name string) {
	w.put(link{name: name, index: 100 + len(w.links), mac: mac{2, 0, 0, 0, 9, 9}, running: true})
}

func (w simWire) announcer(*testing.T) (*Announcer, func(func() error) error) {
	return newAnnouncer(Config{Probe: true}, w.simLAN), func(run func() error) error { return run() }
}

// A rig is an announcer that runs on a LAN.
type rig struct {
	wireLAN
	t    *testing.T
	a    *Announcer
	stop func() // ends the announcer and waits for it
}

// stranger is another station on every link.
var stranger = mac{2, 0xee, 0, 0, 0, 1}

// start starts an announcer on a LAN.
func start(t *testing.T, a *Announcer, lan wireLAN) *rig {
	return startIn(t, a, lan, func(run func() error) error { return run() })
}

// startIn starts an announcer on a LAN, in a place.
func startIn(t *testing.T, a *Announcer, lan wireLAN, in func(func() error) error) *rig {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in(func() error { return a.Start(ctx) }) }()
	r := &rig{wireLAN: lan, t: t, a: a}
	stopped := false
	r.stop = func() {
		t.Helper()
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Errorf("Start: %v", err)
			}
		}
	}
	return r
}

// onWire runs a body on a simulated network and on a real one.
func onWire(t *testing.T, body func(t *testing.T, r *rig)) {
	t.Parallel()
	run := func(t *testing.T, lan wireLAN) {
		a, in := lan.announcer(t)
		r := startIn(t, a, lan, in)
		defer r.stop()
		body(t, r)
	}
	t.Run("simulated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, simWire{newSimLAN("h0", "h1")}) })
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		run(t, newVethLAN(t, "h0", "h1"))
	})
}

// want returns a desired set of addresses that are all on the same interfaces.
func (r *rig) want(interfaces []string, addrs ...string) []desired.Layer2Address {
	r.t.Helper()
	var w []desired.Layer2Address
	for _, a := range addrs {
		w = append(w, desired.Layer2Address{Address: ip(r.t, a), Interfaces: interfaces})
	}
	return w
}

func (r *rig) set(want []desired.Layer2Address) {
	r.t.Helper()
	if err := r.a.Set(r.t.Context(), want); err != nil {
		r.t.Fatalf("Set: %v", err)
	}
}

// until waits for a frame that match takes. It fails the test if there is none
// for ten seconds.
func (r *rig) until(name, what string, match func(f []byte) bool) {
	r.t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case f := <-r.frames(name):
			if match(f) {
				return
			}
		case <-deadline.C:
			r.t.Fatalf("%s: no %s", name, what)
		}
	}
}

// count counts the frames that match takes during d.
func (r *rig) count(name string, d time.Duration, match func(f []byte) bool) int {
	n := 0
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case f := <-r.frames(name):
			if match(f) {
				n++
			}
		case <-end.C:
			return n
		}
	}
}

// silence fails the test if a frame that match takes comes within a quarter of
// a second.
func (r *rig) silence(name, what string, match func(f []byte) bool) {
	r.t.Helper()
	if n := r.count(name, 250*time.Millisecond, match); n > 0 {
		r.t.Errorf("%s: %d of %s, want none", name, n, what)
	}
}

// ask is a request by the stranger.
func ask(t testing.TB, to mac, sender, target string) []byte {
	t.Helper()
	f, err := arpTo(to, arp.OperationRequest, arpParty{stranger, ip(t, sender)}, arpParty{mac{}, ip(t, target)})
	if err != nil {
		t.Fatal(err)
	}
	return f.data
}

// claimBy is an announcement by another station.
func claimBy(t testing.TB, m mac, addr string) []byte {
	t.Helper()
	var w wire = arpWire{}
	if ip(t, addr).Is6() {
		w = ndpWire{}
	}
	f, err := w.announce(ip(t, addr), m, false)
	if err != nil {
		t.Fatal(err)
	}
	return f[0].data
}

// replies matches the reply to ask that says addr is at self.
func replies(self mac, addr string) func([]byte) bool {
	return func(b []byte) bool {
		f, ok := parseARP(b)
		return ok && f.operation == arp.OperationReply && f.destination == stranger && f.source == self &&
			f.senderMAC == self && f.sender.String() == addr
	}
}

// announces matches what an address is announced with.
func announces(self mac, addr string, op arp.Operation) func([]byte) bool {
	return func(b []byte) bool {
		f, ok := parseARP(b)
		return ok && f.operation == op && f.destination == broadcast && f.senderMAC == self &&
			f.sender == f.target && f.sender.String() == addr
	}
}

func TestAnswer(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		self := r.mac("h0")
		r.set(r.want([]string{"h0"}, "192.0.2.1", "192.0.2.2"))

		for what, f := range map[string][]byte{
			"broadcast request": ask(t, broadcast, "192.0.2.99", "192.0.2.2"),
			"unicast request":   ask(t, self, "192.0.2.99", "192.0.2.2"),
			"probe":             ask(t, broadcast, "0.0.0.0", "192.0.2.2"),
		} {
			r.send("h0", f)
			r.until("h0", "reply to "+what, replies(self, "192.0.2.2"))
		}
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.3"))
		r.silence("h0", "replies for another address", replies(self, "192.0.2.3"))
		r.send("h1", ask(t, broadcast, "192.0.2.99", "192.0.2.2"))
		r.silence("h1", "replies on another interface", replies(r.mac("h1"), "192.0.2.2"))

		r.set(r.want([]string{"h0"}, "192.0.2.1"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.2"))
		r.silence("h0", "replies for a dropped address", replies(self, "192.0.2.2"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.until("h0", "reply for the one that stays", replies(self, "192.0.2.1"))

		r.set(nil)
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.silence("h0", "replies after the end", replies(self, "192.0.2.1"))
	})
}

func TestTakeover(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0", "h1"}, "192.0.2.1"))
		for _, name := range []string{"h0", "h1"} {
			self := r.mac(name)
			var n [3]int
			end := time.NewTimer(2 * time.Second)
			for done := false; !done; {
				select {
				case f := <-r.frames(name):
					for _, op := range []arp.Operation{arp.OperationRequest, arp.OperationReply} {
						if announces(self, "192.0.2.1", op)(f) {
							n[op]++
						}
					}
				case <-end.C:
					done = true
				}
			}
			// A real link may report that it is up a moment after it was made,
			// and begins again then.
			if n[1] != n[2] || n[1] < 5 || n[1] > 10 {
				t.Errorf("%s: announcements by operation in the first 2 s: %v, want 5 each", name, n[1:])
			}
		}
		want := map[string][]string{"192.0.2.1": {"h0", "h1"}}
		if diff := cmp.Diff(want, sortedLed(r.a)); diff != "" {
			t.Errorf("Led (-want +got):\n%s", diff)
		}
	})
}

func TestLinkChanges(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		const addr = "192.0.2.1"
		r.set(r.want([]string{"h0"}, addr))
		quiet := func() { r.count("h0", 2*time.Second, func([]byte) bool { return true }) } // the burst is over

		quiet()
		r.setMAC("h0", mac{2, 0, 0, 0, 7, 7})
		r.until("h0", "announcement after a new address", announces(mac{2, 0, 0, 0, 7, 7}, addr, arp.OperationRequest))
		r.send("h0", ask(t, broadcast, "192.0.2.99", addr))
		r.until("h0", "reply from the new address", replies(mac{2, 0, 0, 0, 7, 7}, addr))

		quiet()
		r.setCarrier("h0", false)
		r.silence("h0", "announcements without a carrier", announces(r.mac("h0"), addr, arp.OperationRequest))
		r.setCarrier("h0", true)
		r.until("h0", "announcement after a flap", announces(r.mac("h0"), addr, arp.OperationRequest))
		r.send("h0", ask(t, broadcast, "192.0.2.99", addr))
		r.until("h0", "reply after a flap", replies(r.mac("h0"), addr))

		r.remove("h0")
		r.create("h0")
		r.until("h0", "announcement on a new interface", announces(r.mac("h0"), addr, arp.OperationRequest))
		r.send("h0", ask(t, broadcast, "192.0.2.99", addr))
		r.until("h0", "reply on a new interface", replies(r.mac("h0"), addr))
	})
}

func TestMissingInterface(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		want := r.want([]string{"h0", "h9"}, "192.0.2.1")
		err := r.a.Set(t.Context(), want)
		if got := "interface h9: no such network interface"; err == nil || err.Error() != got {
			t.Errorf("Set = %v, want %s", err, got)
		}
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.until("h0", "reply on the other interface", replies(r.mac("h0"), "192.0.2.1"))
		r.create("h9")
		r.until("h9", "announcement", announces(r.mac("h9"), "192.0.2.1", arp.OperationRequest))
		r.set(want)
	})
}

func TestConflict(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		const addr = "192.0.2.1"
		self := r.mac("h0")
		r.set(r.want([]string{"h0", "h1"}, addr))
		for r.count("h0", time.Second, announces(self, addr, arp.OperationRequest)) > 0 {
			continue // the burst, which begins again when a link comes up late
		}

		// What another interface of this host says is no conflict.
		r.send("h0", claimBy(t, r.mac("h1"), addr))
		r.silence("h0", "defences against ourselves", announces(self, addr, arp.OperationRequest))

		r.send("h0", claimBy(t, stranger, addr))
		r.until("h0", "defence", announces(self, addr, arp.OperationRequest))
		select {
		case c := <-r.a.Conflicts():
			c.At = time.Time{}
			want := Conflict{Address: ip(t, addr), MAC: stranger.String(), Interface: "h0"}
			if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("conflict (-want +got):\n%s", diff)
			}
		case <-time.After(time.Second):
			t.Error("no conflict")
		}
	})
}

func TestDrain(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		self := r.mac("h0")
		r.set(r.want([]string{"h0"}, "192.0.2.1", "192.0.2.2"))
		r.until("h0", "announcement before", announces(self, "192.0.2.2", arp.OperationReply))
		done := make(chan error, 1)
		go func() { done <- r.a.Drain(t.Context()) }()

		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.until("h0", "reply while draining", replies(self, "192.0.2.1"))

		r.send("h0", claimBy(t, stranger, "192.0.2.1"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		// The claim takes effect a moment after the frame.
		r.count("h0", 250*time.Millisecond, func([]byte) bool { return true })
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.silence("h0", "replies for a claimed address", replies(self, "192.0.2.1"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.2"))
		r.until("h0", "reply for the other address", replies(self, "192.0.2.2"))

		r.send("h0", claimBy(t, stranger, "192.0.2.2"))
		if err := <-done; err != nil {
			t.Errorf("Drain = %v", err)
		}
		if led := r.a.Led(); len(led) > 0 {
			t.Errorf("Led = %v after Drain", led)
		}
	})
}

func TestDrainEndsWithContext(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0"}, "192.0.2.1", "192.0.2.2"))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := r.a.Drain(ctx)
		want := "hand over addresses: 2 not claimed by another node: context deadline exceeded"
		if err == nil || err.Error() != want {
			t.Errorf("Drain = %v, want %s", err, want)
		}
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.count("h0", 50*time.Millisecond, func([]byte) bool { return true })
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.silence("h0", "replies after Drain", replies(r.mac("h0"), "192.0.2.1"))
	})
}

func TestNeighborDiscovery(t *testing.T) {
	const addr, client = "2001:db8::1:2", "fe80::99"
	onWire(t, func(t *testing.T, r *rig) {
		self := r.mac("h0")
		r.set(r.want([]string{"h0"}, addr))
		r.until("h0", "announcement", func(b []byte) bool {
			f, ok := parseNDP(b)
			return ok && f.advert && f.source == self && f.link == self && f.target == ip(t, addr) && mac(b) == allNodesMAC
		})
		answer := func(to mac) func(b []byte) bool {
			return func(b []byte) bool {
				f, ok := parseNDP(b)
				return ok && f.advert && f.from == ip(t, addr) && f.target == ip(t, addr) && f.link == self && mac(b) == to
			}
		}
		group, _ := ndp.SolicitedNodeMulticast(ip(t, addr))
		groupMAC := mac{0x33, 0x33, 0xff, 1, 0, 2}
		r.send("h0", solicit(t, groupMAC, client, group.String(), addr))
		r.until("h0", "answer to a question to the group", answer(stranger))
		r.send("h0", solicit(t, self, client, addr, addr))
		r.until("h0", "answer to a reachability probe", answer(stranger))
		r.count("h0", 2*time.Second, func([]byte) bool { return true })
		r.send("h0", solicit(t, groupMAC, "::", group.String(), addr))
		r.until("h0", "answer to a duplicate address probe", answer(allNodesMAC))

		r.send("h0", claimBy(t, stranger, addr))
		r.until("h0", "defence", answer(allNodesMAC))

		r.set(nil)
		r.send("h0", solicit(t, self, client, addr, addr))
		r.silence("h0", "answers for a dropped address", answer(stranger))
	})
}

// solicit is a neighbor solicitation by the stranger.
func solicit(t testing.TB, to mac, from, dest, target string) []byte {
	t.Helper()
	ns := &ndp.NeighborSolicitation{TargetAddress: ip(t, target)}
	if from != "::" {
		ns.Options = []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: stranger.hw()}}
	}
	body, err := ndp.MarshalMessageChecksum(ns, ip(t, from), ip(t, dest))
	if err != nil {
		t.Fatal(err)
	}
	f := append(to.hw()[:6:6], stranger[:]...)
	f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, byte(len(body)>>8), byte(len(body)), protocolICMPv6, maxHopLimit)
	f = append(append(f, ip(t, from).AsSlice()...), ip(t, dest).AsSlice()...)
	return append(f, body...)
}
