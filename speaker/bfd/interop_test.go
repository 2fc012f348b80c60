package bfd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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

func TestFRR(t *testing.T)  { interop(t, func(d daemons) foreign { return &frr{daemons: d} }) }
func TestBIRD(t *testing.T) { interop(t, func(d daemons) foreign { return &bird{daemons: d} }) }

// interop plays sessions of all kinds with another implementation: they come
// up once, agree on timers, follow changes of either side without a flap, and
// find out when the other one is killed; it hears when we end them.
func interop(t *testing.T, other func(d daemons) foreign) {
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
			g := &game{t: t, theirs: p, foreign: other(daemons{t: t, ns: w.sides[1], dir: openDir(t)})}
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

// daemons are programs in a namespace.
type daemons struct {
	t       *testing.T
	ns      *netns
	dir     string
	running []*exec.Cmd
}

// openDir returns a directory that a daemon without privileges can reach.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bfd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run starts a program, or skips the test if there is none.
func (d *daemons) run(name string, args ...string) {
	d.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		d.t.Skipf("needs %s", name)
	}
	// FRR's daemons keep files in /var/tmp, whatever they are told.
	args = append([]string{"--mount", "--", "sh", "-c", `mount -t tmpfs bfd /var/tmp && exec "$0" "$@"`, name}, args...)
	cmd := exec.Command("unshare", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := d.ns.do(cmd.Start); err != nil {
		d.t.Fatal(err)
	}
	d.running = append(d.running, cmd)
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.t.Logf("%s:\n%s", name, out.String())
		}
	})
}

func (d *daemons) kill() {
	for _, cmd := range d.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	d.running = nil
}

// ask runs a command in the namespace and returns what it says.
func (d *daemons) ask(name string, args ...string) []byte {
	d.t.Helper()
	var out []byte
	_ = d.ns.do(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	return out
}

// file writes a file and returns its path.
func (d *daemons) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// frr is FRR's bfdd, with the zebra that tells it of interfaces.
type frr struct{ daemons }

func (f *frr) start(p Profile) {
	f.t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		f.t.Skip("needs FRR")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(f.dir, uid, gid); err != nil {
		f.t.Fatal(err)
	}
	conf := f.file("frr.conf", strings.Join(f.config(p), "\n")+"\n")
	for _, name := range []string{"zebra", "bfdd"} {
		args := []string{
			"-f", conf, "-i", filepath.Join(f.dir, name+".pid"), "--vty_socket", f.dir,
			"-z", filepath.Join(f.dir, "zserv.api"), "-P", "0",
		}
		if name == "bfdd" {
			args = append(args, "--bfdctl", filepath.Join(f.dir, "bfdd.sock"))
		}
		f.run("/usr/lib/frr/"+name, args...)
		for deadline := time.Now().Add(10 * time.Second); ; pass(20 * ms) {
			if _, err := os.Stat(filepath.Join(f.dir, name+".vty")); err == nil || time.Now().After(deadline) {
				break
			}
		}
	}
}

func (f *frr) kill() {
	f.daemons.kill()
	for _, name := range []string{"zebra.vty", "bfdd.vty", "bfdd.sock", "zserv.api"} {
		_ = os.Remove(filepath.Join(f.dir, name))
	}
}

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
	args := []string{"--vty_socket", f.dir, "-c", "configure terminal"}
	for _, line := range f.config(p)[1:] {
		args = append(args, "-c", line)
	}
	if out := f.ask("vtysh", args...); len(out) > 0 {
		f.t.Logf("vtysh: %s", out)
	}
}

func (f *frr) up() int {
	var peers []struct{ Status string }
	_ = json.Unmarshal(f.ask("vtysh", "--vty_socket", f.dir, "-c", "show bfd peers json"), &peers)
	n := 0
	for _, p := range peers {
		n += bit(p.Status == "up")
	}
	return n
}

// bird is BIRD 2.
type bird struct{ daemons }

func (b *bird) start(p Profile) {
	b.t.Helper()
	b.run("bird", "-f", "-c", b.config(p), "-s", filepath.Join(b.dir, "bird.ctl"), "-P", filepath.Join(b.dir, "bird.pid"))
}

func (b *bird) config(p Profile) string {
	b.t.Helper()
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
	return b.file("bird.conf", s.String())
}

func (b *bird) change(p Profile) {
	b.config(p)
	b.ask("birdc", "-s", filepath.Join(b.dir, "bird.ctl"), "configure")
}

func (b *bird) up() int {
	return strings.Count(string(b.ask("birdc", "-s", filepath.Join(b.dir, "bird.ctl"), "show", "bfd", "sessions")), " Up ")
}
