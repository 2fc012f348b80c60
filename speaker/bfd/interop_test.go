package bfd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/netnstest"
)

// A foreign is another implementation of BFD, on host 1.
type foreign interface {
	// start starts it, with the same profile for all sessions.
	start(p Profile)
	// kill ends it without a word.
	kill()
	// change changes the profile while it runs.
	change(p Profile)
	// up returns how many sessions it says are up.
	up() int
}

// kinds are the sessions that are played with other implementations.
var kinds = []struct {
	name     string
	kind     int
	multihop bool
}{
	{name: "IPv4"},
	{name: "IPv6", kind: 1},
	{name: "link-local", kind: 2},
	{name: "IPv4 multihop", multihop: true},
	{name: "IPv6 multihop", kind: 1, multihop: true},
}

func TestFRR(t *testing.T) {
	interop(t, func(t *testing.T, n *netnstest.Namespace) foreign { return &frr{netnstest.NewFRR(t, n)} })
}

func TestBIRD(t *testing.T) {
	interop(t, func(t *testing.T, n *netnstest.Namespace) foreign { return &bird{netnstest.NewBIRD(t, n)} })
}

// interop plays sessions of all kinds with another implementation: they come
// up once, agree on timers, follow changes of either side without a flap, and
// find out when the other one is killed; it hears when we end them.
func interop(t *testing.T, other func(t *testing.T, n *netnstest.Namespace) foreign) {
	theirs := Profile{Transmit: 50 * ms, Receive: 50 * ms, Multiplier: 3}
	tests := []struct {
		name          string
		ours          Profile
		passiveTheirs bool
	}{
		{name: "active", ours: Profile{Transmit: 50 * ms, Receive: 50 * ms, Multiplier: 3}},
		{name: "passive", ours: Profile{Transmit: 60 * ms, Receive: 40 * ms, Multiplier: 4, Passive: true}},
		{name: "peer passive", ours: Profile{Transmit: 40 * ms, Receive: 60 * ms, Multiplier: 5}, passiveTheirs: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newVethWire(t)
			p := theirs
			p.Passive = tt.passiveTheirs
			g := &game{t: t, theirs: p, foreign: other(t, w.sides[1])}
			m, in := w.manager(t, 0, Config{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- in(func() error { return m.Start(ctx) }) }()
			g.m = m

			g.set(tt.ours)
			g.start(p)
			defer g.kill()
			g.play()

			cancel()
			if err := <-done; err != nil {
				t.Errorf("Start: %v", err)
			}
			g.poll("down there", func() bool { return g.up() == 0 })
		})
	}
}

// A game is played with another implementation.
type game struct {
	foreign
	t            *testing.T
	m            *Manager
	ours, theirs Profile
}

func (g *game) set(p Profile) {
	g.t.Helper()
	g.ours = p
	var want []Session
	for _, k := range kinds {
		want = append(want, Session{
			Name: k.name, Local: sideAddrs[0][k.kind].WithZone(""), Remote: sideAddrs[1][k.kind], Multihop: k.multihop, Profile: p,
		})
	}
	if err := g.m.Set(g.t.Context(), want); err != nil {
		g.t.Fatal(err)
	}
}

// play has everything happen.
func (g *game) play() {
	g.t.Helper()
	g.agree()
	g.stay("after coming up", func() { pass(time.Second) })
	g.stay("when our timers changed", func() {
		g.set(Profile{Transmit: 120 * ms, Receive: 90 * ms, Multiplier: 3, Passive: g.ours.Passive})
		g.agree()
	})
	g.stay("when their timers changed", func() {
		g.theirs.Transmit, g.theirs.Receive, g.theirs.Multiplier = 100*ms, 150*ms, 4
		g.change(g.theirs)
		g.agree()
	})
	g.stay("when both are fast again", func() {
		g.set(Profile{Transmit: 30 * ms, Receive: 30 * ms, Multiplier: 5, Passive: g.ours.Passive})
		g.theirs.Transmit, g.theirs.Receive = 30*ms, 30*ms
		g.change(g.theirs)
		g.agree()
	})

	detection := g.m.Status()[0].Detection
	g.kill()
	g.poll("down here", func() bool {
		for _, s := range g.m.Status() {
			if s.State == Up {
				return false
			}
		}
		return true
	})
	for _, s := range g.m.Status() {
		took := s.Since.Sub(s.LastReceived)
		if s.Diagnostic != DetectionTimeExpired || took < detection || took > bound(detection, g.theirs.Transmit, s.Late) {
			g.t.Errorf("%s: %v after %v, late by %v", s.Session.Name, s.Diagnostic, took, s.Late)
		}
	}
	g.start(g.theirs)
	g.agree()
}

// agree waits for all sessions to be up, with timers that both have agreed on.
func (g *game) agree() {
	g.t.Helper()
	interval := max(g.ours.Transmit, g.theirs.Receive)
	detection := time.Duration(g.theirs.Multiplier) * max(g.ours.Receive, g.theirs.Transmit)
	g.poll("agreed", func() bool {
		for _, s := range g.m.Status() {
			if s.State != Up || s.RemoteState != Up || s.Transmit != interval || s.Detection != detection || s.Error != nil {
				return false
			}
		}
		return true
	})
	g.poll("up there", func() bool { return g.up() == len(kinds) })
}

// stay has something happen that must flap no session.
func (g *game) stay(what string, fn func()) {
	g.t.Helper()
	before := g.m.Status()
	fn()
	for i, s := range g.m.Status() {
		if !s.Since.Equal(before[i].Since) {
			g.t.Errorf("%s: flapped %s: %+v", s.Session.Name, what, s)
		}
	}
}

// poll waits for something.
func (g *game) poll(what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); pass(20 * ms) {
		if time.Now().After(deadline) {
			for _, s := range g.m.Status() {
				g.t.Logf("%+v", s)
			}
			g.t.Fatalf("not %s", what)
		}
	}
}

// frr is FRR's bfdd.
type frr struct{ *netnstest.FRR }

func (f *frr) start(p Profile) { f.Start(strings.Join(f.config(p), "\n")+"\n", "bfdd") }
func (f *frr) kill()           { f.Kill() }

// config returns the lines of a configuration.
func (f *frr) config(p Profile) []string {
	lines := []string{"log stdout informational", "bfd"}
	for _, k := range kinds {
		lines = append(lines, frrPeer(sideAddrs[0][k.kind], sideAddrs[1][k.kind], k.multihop))
		lines = append(lines,
			fmt.Sprintf("detect-multiplier %d", p.Multiplier),
			fmt.Sprintf("receive-interval %d", p.Receive.Milliseconds()),
			fmt.Sprintf("transmit-interval %d", p.Transmit.Milliseconds()))
		if p.Passive {
			lines = append(lines, "passive-mode")
		}
		lines = append(lines, "exit")
	}
	return append(lines, "exit")
}

func frrPeer(remote, local netip.Addr, multihop bool) string {
	if multihop {
		return fmt.Sprintf("peer %s multihop local-address %s", remote, local)
	}
	return fmt.Sprintf("peer %s local-address %s interface e0", remote.WithZone(""), local.WithZone(""))
}

func (f *frr) change(p Profile) {
	f.Vtysh(append([]string{"configure terminal"}, f.config(p)[1:]...)...)
}

func (f *frr) up() int {
	var peers []struct{ Status string }
	_ = json.Unmarshal(f.Vtysh("show bfd peers json"), &peers)
	n := 0
	for _, p := range peers {
		n += bit(p.Status == "up")
	}
	return n
}

// bird is BIRD 2.
type bird struct{ *netnstest.BIRD }

func (b *bird) start(p Profile)  { b.Start(b.config(p)) }
func (b *bird) change(p Profile) { b.Configure(b.config(p)) }
func (b *bird) kill()            { b.Kill() }

func (b *bird) config(p Profile) string {
	passive := ""
	if p.Passive {
		passive = "passive;"
	}
	timers := fmt.Sprintf("{ min rx interval %d ms; min tx interval %d ms; multiplier %d; %s };\n",
		p.Receive.Milliseconds(), p.Transmit.Milliseconds(), p.Multiplier, passive)
	var s strings.Builder
	s.WriteString("log stderr all;\nrouter id 192.0.2.2;\nprotocol device {}\nprotocol bfd {\n")
	s.WriteString("interface \"e0\" " + timers + "multihop " + timers)
	for _, k := range kinds {
		remote, local := sideAddrs[0][k.kind], sideAddrs[1][k.kind].WithZone("")
		if k.multihop {
			fmt.Fprintf(&s, "neighbor %s local %s multihop;\n", remote, local)
		} else {
			fmt.Fprintf(&s, "neighbor %s dev \"e0\" local %s;\n", remote.WithZone(""), local)
		}
	}
	s.WriteString("}\n")
	return s.String()
}

func (b *bird) up() int {
	return strings.Count(string(b.Birdc("show", "bfd", "sessions")), " Up ")
}
