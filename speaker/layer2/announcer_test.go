package layer2

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/arp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heraldlb/herald/speaker/desired"
)

// simulate runs an announcer on a simulated network, in a bubble of time.
func simulate(t *testing.T, lan *simLAN, body func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fresh := newSimLAN() // with channels that belong to the bubble
		fresh.filterLimit, fresh.refuse, fresh.stalled = lan.filterLimit, lan.refuse, lan.stalled
		for _, l := range lan.links {
			fresh.put(l)
		}
		a, _ := simWire{fresh}.announcer(t)
		r := start(t, a, simWire{fresh})
		defer r.stop()
		body(t, r)
	})
}

// many returns n addresses on h0.
func many(n int) []desired.Layer2Address {
	var w []desired.Layer2Address
	for i := range n {
		w = append(w, desired.Layer2Address{
			Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), Interfaces: []string{"h0"},
		})
	}
	return w
}

// Law: however many addresses come at once, no more than the pace allows are
// announced in any time, and every first announcement goes before any other.
func TestPace(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		const n = 10_000
		began := time.Now()
		r.set(many(n))
		first := map[netip.Addr]bool{}
		for sent := 1; len(first) < n; sent++ {
			f, ok := parseARP(<-r.frames("h0"))
			if !ok {
				t.Fatal("not ARP")
			}
			if first[f.sender] && f.operation == arp.OperationRequest {
				t.Fatalf("%s again after %d of %d", f.sender, len(first), n)
			}
			first[f.sender] = true
			if allowed := paceFrames * (1 + int(time.Since(began)/pacePause)); sent > allowed {
				t.Fatalf("%d frames after %s, want at most %d", sent, time.Since(began), allowed)
			}
		}
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("%d addresses announced in %s", n, took)
		}
	})
}

func TestRefresh(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0"}, "192.0.2.1"))
		r.count("h0", 2*time.Second, func([]byte) bool { return true })
		n := r.count("h0", 10*time.Minute, func(f []byte) bool {
			return announces(r.mac("h0"), "192.0.2.1", arp.OperationRequest)(f)
		})
		if n < 8 || n > 12 {
			t.Errorf("%d refreshes in 10 minutes", n)
		}
	})
}

// Set adds before it removes, and a set that is equal changes nothing.
func TestSetConverges(t *testing.T) {
	lan := newSimLAN("h0", "h1")
	simulate(t, lan, func(t *testing.T, r *rig) {
		steps := []struct {
			want []desired.Layer2Address
			led  map[string][]string
		}{
			{r.want([]string{"h0"}, "192.0.2.1", "2001:db8::1"), map[string][]string{"192.0.2.1": {"h0"}, "2001:db8::1": {"h0"}}},
			{r.want([]string{"h0"}, "192.0.2.1", "2001:db8::1"), map[string][]string{"192.0.2.1": {"h0"}, "2001:db8::1": {"h0"}}},
			{r.want([]string{"h0", "h1"}, "192.0.2.1"), map[string][]string{"192.0.2.1": {"h0", "h1"}}},
			{r.want([]string{"h1"}, "192.0.2.1", "192.0.2.2"), map[string][]string{"192.0.2.1": {"h1"}, "192.0.2.2": {"h1"}}},
			{nil, map[string][]string{}},
		}
		var since time.Time
		for i, s := range steps {
			r.set(s.want)
			if diff := cmp.Diff(s.led, sortedLed(r.a)); diff != "" {
				t.Errorf("step %d: Led (-want +got):\n%s", i, diff)
			}
			if led := r.a.Led(); i == 0 {
				since = led[0].Since
			} else if len(led) > 0 && led[0].Since != since {
				t.Errorf("step %d: since %s, want %s", i, led[0].Since, since)
			}
			r.count("h0", time.Second, func([]byte) bool { return true })
		}
	})
}

// A kernel that takes only short filters gets one that passes more.
func TestShortFilter(t *testing.T) {
	lan := newSimLAN("h0")
	lan.filterLimit = 200
	simulate(t, lan, func(t *testing.T, r *rig) {
		var want []desired.Layer2Address
		for i := range 500 {
			want = append(want, desired.Layer2Address{
				Address: netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), Interfaces: []string{"h0"},
			})
		}
		r.set(want)
		self := r.mac("h0")
		r.send("h0", ask(t, broadcast, "192.0.2.99", "10.1.77.1"))
		r.until("h0", "reply", replies(self, "10.1.77.1"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "10.1.77.2"))
		r.silence("h0", "replies for another address", replies(self, "10.1.77.2"))
	})
}

func TestSetFails(t *testing.T) {
	lan := newSimLAN("h0")
	lan.refuse = errors.New("operation not permitted")
	simulate(t, lan, func(t *testing.T, r *rig) {
		want := r.want([]string{"h0"}, "192.0.2.1")
		for range 2 {
			err := r.a.Set(t.Context(), want)
			if s := "interface h0: operation not permitted"; err == nil || err.Error() != s {
				t.Errorf("Set = %v, want %s", err, s)
			}
		}
		sim := r.wireLAN.(simWire)
		sim.mu.Lock()
		sim.refuse = nil
		sim.mu.Unlock()
		r.set(want)
		r.until("h0", "announcement", announces(r.mac("h0"), "192.0.2.1", arp.OperationRequest))
	})
}

// When the kernel drops link events, what was missed is found.
func TestLostEvents(t *testing.T) {
	simulate(t, newSimLAN("h0", "h1"), func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0", "h1"}, "192.0.2.1"))
		r.count("h0", 2*time.Second, func([]byte) bool { return true })
		sim := r.wireLAN.(simWire)
		sim.mu.Lock()
		delete(sim.links, "h1")
		l := sim.links["h0"]
		l.mac = mac{2, 0, 0, 0, 5, 5}
		sim.links["h0"] = l
		sim.mu.Unlock()
		sim.lose()
		r.until("h0", "announcement from the new address", announces(l.mac, "192.0.2.1", arp.OperationRequest))
		if diff := cmp.Diff(map[string][]string{"192.0.2.1": {"h0"}}, sortedLed(r.a)); diff != "" {
			t.Errorf("Led (-want +got):\n%s", diff)
		}
	})
}

// However often an address is claimed, it is defended four times in ten
// seconds, and then again.
func TestDefencesAreLimited(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		const addr = "192.0.2.1"
		r.set(r.want([]string{"h0"}, addr))
		r.count("h0", 2*time.Second, func([]byte) bool { return true })
		for i, want := range []int{4, 4} {
			got := 0
			for range 100 {
				r.send("h0", claimBy(t, stranger, addr))
				got += r.count("h0", 100*time.Millisecond, announces(r.mac("h0"), addr, arp.OperationRequest))
			}
			if got != want {
				t.Errorf("%d s: %d defences, want %d", 10*i, got, want)
			}
		}
		if n := len(r.a.Conflicts()); n < 2 || n > 3 {
			t.Errorf("%d conflicts reported in 20 s", n)
		}
	})
}

// A successor may claim an address a moment before Drain begins.
func TestDrainAfterClaim(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		r.set(r.want([]string{"h0"}, "192.0.2.1"))
		r.send("h0", claimBy(t, stranger, "192.0.2.1"))
		synctest.Wait()
		if err := r.a.Drain(t.Context()); err != nil {
			t.Errorf("Drain = %v", err)
		}
	})
}

// Claims of many addresses, as fast as they come, end a drain at once.
func TestDrainMany(t *testing.T) {
	simulate(t, newSimLAN("h0"), func(t *testing.T, r *rig) {
		want := many(3000)
		r.set(want)
		done := make(chan error, 1)
		go func() { done <- r.a.Drain(t.Context()) }()
		synctest.Wait()
		for _, w := range want {
			r.send("h0", claimBy(t, stranger, w.Address.String()))
		}
		if err := <-done; err != nil {
			t.Errorf("Drain = %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		lan := newSimLAN("h0")
		a := newAnnouncer(Config{Registerer: reg}, lan)
		r := start(t, a, simWire{lan})
		r.set(r.want([]string{"h0"}, "192.0.2.1"))
		r.send("h0", ask(t, broadcast, "192.0.2.99", "192.0.2.1"))
		r.send("h0", claimBy(t, stranger, "192.0.2.1"))
		r.count("h0", 2*time.Second, func([]byte) bool { return true })
		want := `
# HELP herald_layer2_addresses Addresses that this node answers for.
# TYPE herald_layer2_addresses gauge
herald_layer2_addresses{interface="h0"} 1
# HELP herald_layer2_conflicts_total Claims of stations that are no speakers to an address that this node announces or probes for.
# TYPE herald_layer2_conflicts_total counter
herald_layer2_conflicts_total{interface="h0"} 1
# HELP herald_layer2_unsolicited_total Announcements sent unasked, one for each address and time.
# TYPE herald_layer2_unsolicited_total counter
herald_layer2_unsolicited_total{interface="h0"} 6
`
		if err := testutil.GatherAndCompare(reg, bytes.NewBufferString(want), metricAddresses, metricConflicts, metricUnsolicited); err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(a.metrics.requests.WithLabelValues("h0", answered.String())); n != 1 {
			t.Errorf("%v answered, want 1", n)
		}
		r.set(nil)
		for _, name := range []string{metricRequests, metricUnsolicited, metricConflicts, metricProbes, metricAddresses, metricContested} {
			if n, err := testutil.GatherAndCount(reg, name); n != 0 || err != nil {
				t.Errorf("%d series of %s left, %v", n, name, err)
			}
		}
		r.stop()
	})
}

// Set and Drain end with their context, and with the announcer.
func TestCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAnnouncer(Config{}, newSimLAN("h0"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Set(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set before Start = %v", err)
		}
		if err := a.Start(ctx); err != nil {
			t.Errorf("Start = %v", err)
		}
		if err := a.Set(t.Context(), nil); !errors.Is(err, errEnded) {
			t.Errorf("Set after Start = %v", err)
		}
		if err := a.Drain(t.Context()); !errors.Is(err, errEnded) {
			t.Errorf("Drain after Start = %v", err)
		}
	})
}

// A bubble of synctest fails if a goroutine is left; this is the same for real
// sockets and subscriptions.
func TestNoGoroutineIsLeft(t *testing.T) {
	lan := newVethLAN(t, "h0", "h1")
	before := goroutines()
	for range 3 {
		a, in := lan.announcer(t)
		r := startIn(t, a, lan, in)
		r.set(r.want([]string{"h0", "h1"}, "192.0.2.1", "2001:db8::1"))
		r.stop()
	}
	deadline := time.After(5 * time.Second)
	for goroutines() > before {
		select {
		case <-deadline:
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", goroutines(), before, buf[:runtime.Stack(buf, true)])
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func goroutines() int { return runtime.NumGoroutine() }

// BenchmarkSetOneOf10000 is the cost of one address that comes or goes.
func BenchmarkSetOneOf10000(b *testing.B) {
	six := many(10_000)
	for i := range six {
		four := six[i].Address.As4()
		six[i].Address = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 12: four[0], four[1], four[2], four[3]})
	}
	for name, all := range map[string][]desired.Layer2Address{"IPv4": many(10_000), "IPv6": six} {
		b.Run(name, func(b *testing.B) {
			a := newAnnouncer(Config{}, newSimLAN("h0"))
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- a.Start(ctx) }()
			for i := 0; b.Loop(); i++ {
				if err := a.Set(ctx, all[:len(all)-i%2]); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			<-done
		})
	}
}
