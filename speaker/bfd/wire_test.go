package bfd

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sideAddrs are the addresses of the two hosts: IPv4, IPv6, link-local.
var sideAddrs = [2][3]netip.Addr{
	{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%e0")},
	{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("fe80::2%e0")},
}

// A wire connects the two hosts of a test: simulated or real.
type wire interface {
	// manager returns one for a host, and what its Start is to be run by.
	manager(t *testing.T, side int, c Config) (*Manager, func(func() error) error)
	// cut parts the hosts, or joins them again.
	cut(apart bool)
	// take has another program on host 0 use a port.
	take(at door) (giveBack func())
	// inject sends a packet to host 0.
	inject(at door, ttl int, from, to netip.Addr, b []byte)
}

// A rig is a manager on each of two hosts.
type rig struct {
	wire
	t        *testing.T
	managers [2]*Manager
	registry *prometheus.Registry // of host 0
	stop     [2]func()            // ends a manager and waits for it
}

// onWire runs a body on a simulated wire and on a real one.
func onWire(t *testing.T, body func(t *testing.T, r *rig)) {
	t.Parallel()
	start := func(t *testing.T, w wire) {
		r := &rig{wire: w, t: t, registry: prometheus.NewPedanticRegistry()}
		for side := range r.managers {
			c := Config{}
			if side == 0 {
				c.Registerer = r.registry
			}
			m, in := w.manager(t, side, c)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- in(func() error { return m.Start(ctx) }) }()
			r.managers[side] = m
			ended := false
			r.stop[side] = func() {
				if cancel(); !ended {
					ended = true
					if err := <-done; err != nil {
						t.Errorf("Start: %v", err)
					}
				}
			}
			defer r.stop[side]()
		}
		body(t, r)
	}
	t.Run("simulated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { start(t, newSimWire()) })
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		start(t, newVethWire(t))
	})
}

// quick is a profile for tests: one that holds on a busy machine, too.
var quick = Profile{Transmit: 40 * ms, Receive: 40 * ms, Multiplier: 5}

// to returns a session of a host with the other one, by the kind of address.
func (r *rig) to(side, kind int, p Profile) Session {
	return Session{Name: "peer", Local: sideAddrs[side][kind].WithZone(""), Remote: sideAddrs[1-side][kind], Profile: p}
}

func (r *rig) set(side int, want ...Session) {
	r.t.Helper()
	if err := r.managers[side].Set(r.t.Context(), want); err != nil {
		r.t.Fatalf("Set: %v", err)
	}
}

// until waits until the only session of a host is as ok says.
func (r *rig) until(side int, what string, ok func(s Status) bool) Status {
	r.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * ms)
	defer tick.Stop()
	for {
		if s := r.managers[side].Status(); len(s) == 1 && ok(s[0]) {
			return s[0]
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("host %d: not %s: %+v", side, what, r.managers[side].Status())
		}
	}
}

// up waits for the session to be up on both hosts, with negotiated timers.
func (r *rig) up() (a, b Status) {
	r.t.Helper()
	settled := func(s Status) bool { return s.State == Up && s.RemoteState == Up && s.Transmit < slowInterval }
	return r.until(0, "up", settled), r.until(1, "up", settled)
}

// bound returns how long a detection may take at a host that was late: by the
// interval more that the peer gets then, and late again after that.
func bound(detection, interval, late time.Duration) time.Duration {
	if late > interval {
		detection += interval + late
	}
	return detection + late + 5*ms
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

func TestComesUp(t *testing.T) {
	passive := quick
	passive.Passive = true
	slower := Profile{Transmit: 70 * ms, Receive: 60 * ms, Multiplier: 4}
	tests := []struct {
		name         string
		kind         int
		local, iface bool
		multihop     bool
		profiles     [2]Profile
	}{
		{name: "IPv4", profiles: [2]Profile{quick, quick}, local: true},
		{name: "IPv4 from any address", profiles: [2]Profile{quick, quick}},
		{name: "IPv4 on an interface", profiles: [2]Profile{quick, quick}, iface: true},
		{name: "IPv6", kind: 1, profiles: [2]Profile{quick, quick}, local: true},
		{name: "IPv6 from any address", kind: 1, profiles: [2]Profile{quick, quick}},
		{name: "link-local", kind: 2, profiles: [2]Profile{quick, quick}, local: true},
		{name: "IPv4 multihop", multihop: true, profiles: [2]Profile{quick, quick}, local: true},
		{name: "IPv6 multihop", kind: 1, multihop: true, profiles: [2]Profile{quick, quick}, local: true},
		{name: "passive", profiles: [2]Profile{passive, quick}},
		{name: "different timers", profiles: [2]Profile{quick, slower}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onWire(t, func(t *testing.T, r *rig) {
				for side, p := range tt.profiles {
					s := r.to(side, tt.kind, p)
					s.Multihop = tt.multihop
					if !tt.local {
						s.Local = netip.Addr{}
					}
					if tt.iface {
						s.Interface = "e0"
					}
					r.set(side, s)
				}
				r.up()
				for side, p := range tt.profiles {
					peer := tt.profiles[1-side]
					interval := max(p.Transmit, peer.Receive)
					detection := time.Duration(peer.Multiplier) * max(p.Receive, peer.Transmit)
					r.until(side, "negotiated", func(s Status) bool {
						return s.Transmit == interval && s.Detection == detection && s.Error == nil && s.Diagnostic == 0
					})
				}
			})
		})
	}
}

func TestDetection(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(0, r.to(0, 0, quick))
		r.set(1, r.to(1, 0, quick))
		r.up()
		pass(time.Second)
		r.cut(true)
		for side := range 2 {
			s := r.until(side, "down", func(s Status) bool { return s.State == Down })
			took := s.Since.Sub(s.LastReceived)
			if s.Diagnostic != DetectionTimeExpired || took < 200*ms || took > bound(200*ms, quick.Transmit, s.Late) {
				t.Errorf("host %d: %v after %v, late by %v", side, s.Diagnostic, took, s.Late)
			}
			if s.RemoteState != 0 || s.Detection != 0 {
				t.Errorf("host %d: peer not forgotten: %+v", side, s)
			}
		}
		r.cut(false)
		r.up()
	})
}

func TestEnd(t *testing.T) {
	end := func(leave func(r *rig), want Diagnostic) func(t *testing.T) {
		return func(t *testing.T) {
			onWire(t, func(t *testing.T, r *rig) {
				r.set(0, r.to(0, 0, quick))
				r.set(1, r.to(1, 0, quick))
				r.up()
				leave(r)
				s := r.until(1, "down", func(s Status) bool { return s.State == Down })
				if s.Diagnostic != want {
					t.Errorf("%v, want %v", s.Diagnostic, want)
				}
				if want == NeighborDown && (s.RemoteState != AdminDown || s.RemoteDiagnostic != AdministrativelyDown) {
					t.Errorf("peer said %v %v", s.RemoteState, s.RemoteDiagnostic)
				}
				if got := r.managers[0].Status(); len(got) > 0 {
					t.Errorf("left: %v", got)
				}
				if got := r.series(); len(got) > 0 {
					t.Errorf("series left: %v", got)
				}
			})
		}
	}
	t.Run("removed", end(func(r *rig) { r.set(0) }, NeighborDown))
	t.Run("stopped", end(func(r *rig) { r.stop[0]() }, NeighborDown))
	t.Run("stopped silently", end(func(r *rig) { r.managers[0].Hush(); r.stop[0]() }, DetectionTimeExpired))
}

// series returns the names of the metrics of host 0 that are about a peer.
func (r *rig) series() []string {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "peer" {
					names = append(names, f.GetName())
				}
			}
		}
	}
	return names
}

// counter returns a counter of host 0 by one of its labels.
func (r *rig) counter(name, label string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// A change of the profile, at either end, is negotiated and flaps nothing.
func TestProfileChange(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(0, r.to(0, 0, quick))
		r.set(1, r.to(1, 0, quick))
		a, b := r.up()
		profiles := []Profile{
			{Transmit: 300 * ms, Receive: 300 * ms, Multiplier: 2},
			{Transmit: 60 * ms, Receive: 100 * ms, Multiplier: 5},
			{Transmit: 30 * ms, Receive: 30 * ms, Multiplier: 7},
		}
		for _, p := range profiles {
			r.set(0, r.to(0, 0, p))
			interval, detection := max(p.Transmit, quick.Receive), time.Duration(p.Multiplier)*max(p.Transmit, quick.Receive)
			r.until(0, "changed", func(s Status) bool { return s.Transmit == interval })
			r.until(1, "changed", func(s Status) bool { return s.Detection == detection })
			pass(300 * ms)
		}
		for side, before := range []Status{a, b} {
			s := r.until(side, "up", func(s Status) bool { return s.State == Up })
			if !s.Since.Equal(before.Since) || s.Discriminator != before.Discriminator {
				t.Errorf("host %d flapped: %+v, was %+v", side, s, before)
			}
		}
		r.set(0)
		r.set(0, r.to(0, 0, quick))
		if s := r.managers[0].Status()[0]; s.Discriminator == a.Discriminator {
			t.Errorf("a session that is wanted again is that of before: %+v", s)
		}
	})
}

// A packet from beyond the network, from a stranger, or that is none, changes
// nothing.
func TestForeignPackets(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(0, r.to(0, 0, quick), r.to(0, 1, quick))
		hello := (&packet{state: Init, multiplier: 3, mine: 5, yours: 0, minTx: time.Second, minRx: time.Second}).appendTo(nil)
		down := (&packet{state: Down, multiplier: 3, mine: 5, minTx: time.Second, minRx: time.Second}).appendTo(nil)
		v4, v6 := door{port: DefaultPort}, door{port: DefaultPort, v6: true}
		r.inject(v4, 254, sideAddrs[1][0], sideAddrs[0][0], down)
		r.inject(v6, 254, sideAddrs[1][1], sideAddrs[0][1], down)
		r.inject(v4, 255, sideAddrs[1][0], sideAddrs[0][0], hello)
		r.inject(v4, 255, sideAddrs[1][0], sideAddrs[0][0], nil)
		r.inject(v6, 255, sideAddrs[1][2], sideAddrs[0][2], down)
		stolen := (&packet{state: Up, multiplier: 3, mine: 5, yours: 77, minTx: time.Second, minRx: time.Second}).appendTo(nil)
		r.inject(v4, 255, sideAddrs[1][0], sideAddrs[0][0], stolen)
		for reason, want := range map[string]float64{"distant": 2, "malformed": 2, "unknown": 2} {
			deadline := time.Now().Add(10 * time.Second)
			for r.counter(metricDiscarded, reason) != want {
				if pass(5 * ms); time.Now().After(deadline) {
					t.Fatalf("%s: %v, want %v", reason, r.counter(metricDiscarded, reason), want)
				}
			}
		}
		for _, s := range r.managers[0].Status() {
			if s.State != Down || !s.LastReceived.IsZero() {
				t.Errorf("changed: %+v", s)
			}
		}
	})
}

// The TTL of a multihop packet is judged by the profile.
func TestMinimumTTL(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		p := quick
		p.MinimumTTL = 250
		s := r.to(0, 0, p)
		s.Multihop = true
		r.set(0, s)
		down := (&packet{state: Down, multiplier: 3, mine: 5, minTx: time.Second, minRx: time.Second}).appendTo(nil)
		at := door{port: DefaultMultihopPort, multihop: true}
		r.inject(at, 249, sideAddrs[1][0], sideAddrs[0][0], down)
		for r.counter(metricDiscarded, "distant") != 1 {
			pass(5 * ms)
		}
		r.inject(at, 250, sideAddrs[1][0], sideAddrs[0][0], down)
		r.until(0, "in Init", func(s Status) bool { return s.State == Init })
	})
}

// A port that another program has is an error of the sessions that need it, and
// tried again.
func TestPortTaken(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		giveBack := r.take(door{port: DefaultPort})
		err := r.managers[0].Set(t.Context(), []Session{r.to(0, 0, quick), r.to(0, 1, quick)})
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("Set: %v", err)
		}
		r.set(1, r.to(1, 0, quick), r.to(1, 1, quick))
		state := func(i int, want State) {
			t.Helper()
			deadline := time.Now().Add(20 * time.Second)
			for s := r.managers[0].Status(); s[i].State != want || (s[i].Error == nil) != (want == Up); s = r.managers[0].Status() {
				if pass(5 * ms); time.Now().After(deadline) {
					t.Fatalf("%+v", s)
				}
			}
		}
		state(1, Up) // IPv6 is not disturbed
		state(0, Down)
		giveBack()
		state(0, Up)
	})
}

// Law: when Set returns, Status is of the sessions that it set.
func TestStatusAfterSet(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		for range 500 {
			for _, want := range [][]Session{{r.to(0, 0, quick)}, nil} {
				r.set(0, want...)
				if got := r.managers[0].Status(); len(got) != len(want) {
					t.Fatalf("%d sessions, want %d", len(got), len(want))
				}
			}
		}
	})
}

// Wrong sessions are errors, and the others are served.
func TestWrongSessions(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		bad := []struct {
			session Session
			want    string
		}{
			{Session{}, "bfd session invalid IP: remote address invalid IP: not that of a peer"},
			{Session{Remote: netip.MustParseAddr("224.0.0.5")}, "bfd session 224.0.0.5: remote address 224.0.0.5: not that of a peer"},
			{Session{Name: "x", Remote: netip.MustParseAddr("fe80::2")}, "bfd session x: remote address fe80::2: link-local without an interface"},
			{Session{Name: "x", Remote: sideAddrs[1][2], Interface: "e1"}, "bfd session x: remote address fe80::2%e0: not on interface e1"},
			{Session{Name: "x", Remote: sideAddrs[1][2], Multihop: true}, "bfd session x: remote address fe80::2%e0: link-local and multihop"},
			{Session{Name: "x", Remote: sideAddrs[1][0], Local: sideAddrs[0][1]}, "bfd session x: remote address 192.0.2.2: not of the family of 2001:db8::1"},
			{Session{Name: "x", Remote: sideAddrs[1][0], Profile: Profile{Transmit: -1}}, "bfd session x: interval -1ns: not between 1ms and 1h11m34.967295s"},
			{r.to(0, 0, fast), "bfd session peer: wanted twice"},
		}
		want := []Session{r.to(0, 0, quick)}
		var messages []string
		for _, b := range bad {
			want = append(want, b.session)
			messages = append(messages, b.want)
		}
		err := r.managers[0].Set(t.Context(), want)
		if err == nil || err.Error() != strings.Join(messages, "\n") {
			t.Errorf("Set: %v", err)
		}
		r.set(1, r.to(1, 0, quick))
		r.up()
	})
}

// An interface that does not exist is an error and tried again.
func TestNoInterface(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		s := r.to(0, 0, quick)
		s.Interface = "e7"
		err := r.managers[0].Set(t.Context(), []Session{s})
		if err == nil || !strings.Contains(err.Error(), "no such device") {
			t.Errorf("Set: %v", err)
		}
		r.set(0, r.to(0, 0, quick))
		r.set(1, r.to(1, 0, quick))
		r.up()
	})
}

// A refused packet is an error of the session until the peer listens.
func TestRefused(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		r.set(0, r.to(0, 0, quick))
		r.until(0, "refused", func(s Status) bool { return s.Error != nil && strings.Contains(s.Error.Error(), "connection refused") })
		r.set(1, r.to(1, 0, quick))
		r.up()
		r.until(0, "without error", func(s Status) bool { return s.Error == nil })
	})
}

// Packets that came while we stood still count before a session is judged; if
// none came, the status says that we stood still.
func TestOwnStall(t *testing.T) {
	onWire(t, func(t *testing.T, r *rig) {
		patient := quick
		patient.Multiplier = 100 // the peer does not mind
		r.set(0, r.to(0, 0, patient))
		r.set(1, r.to(1, 0, quick))
		before, _ := r.up()
		stand := func() {
			if err := r.managers[0].requests.Do(t.Context(), func(*engine) error { pass(500 * ms); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		stand()
		pass(100 * ms)
		if s := r.managers[0].Status()[0]; !s.Since.Equal(before.Since) {
			t.Errorf("down though packets had come: %+v", s)
		}
		r.cut(true)
		stand()
		s := r.until(0, "down", func(s Status) bool { return s.State == Down })
		if s.Diagnostic != DetectionTimeExpired || s.Late < 400*ms {
			t.Errorf("%v, late by %v", s.Diagnostic, s.Late)
		}
	})
}
