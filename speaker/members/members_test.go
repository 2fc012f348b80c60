package members

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
)

func TestJoinAndDeath(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	for _, one := range s {
		w.settle(one)
	}
	s[2].stop() // as if it were killed: nobody is told
	w.await(s[0], names(s[0], s[1])...)
	w.await(s[1], names(s[0], s[1])...)
}

func TestLeave(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	if err := s[2].Leave(patience); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"node-0": true, "node-1": true}
	if diff := cmp.Diff(want, s[2].Alive()); diff != "" {
		t.Errorf("alive at the one that left (-want +got):\n%s", diff)
	}
	w.await(s[0], names(s[0], s[1])...)
	w.await(s[1], names(s[0], s[1])...)

	s[1].stop() // the one that left is still told of it
	w.await(s[2], names(s[0])...)
	if err := s[2].Leave(patience); err != nil {
		t.Errorf("second Leave: %v", err)
	}
	// It answers, and is not let in again, until it starts anew.
	s[2].stop()
	again := w.start(s[2].peer, testSecret)
	again.SetPeers([]Peer{s[0].peer, s[1].peer})
	w.await(again, names(s[0], s[2])...)
	w.await(s[0], names(s[0], s[2])...)
}

func TestLeaveBeforeStart(t *testing.T) {
	w := newWorld(t)
	l := w.list(Peer{Node: "a", Addr: address()})
	if err := l.Leave(time.Second); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{}, l.Alive()); diff != "" {
		t.Errorf("alive (-want +got):\n%s", diff)
	}
	if err := l.SetKey([]byte(testSecret)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Start(ctx); err != nil {
		t.Error(err)
	}
	if err := l.Leave(time.Second); err != nil {
		t.Errorf("Leave after the end: %v", err)
	}
}

// A partition that lasted longer than it takes to declare each other dead heals
// by itself.
func TestPartition(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(5)
	w.put(1, s[3:]...)
	for _, one := range s[:3] {
		w.await(one, names(s[:3]...)...)
	}
	for _, one := range s[3:] {
		w.await(one, names(s[3:]...)...)
	}
	w.put(0, s[3:]...)
	for _, one := range s {
		w.await(one, names(s...)...)
	}
}

// A speaker that is killed and starts again at once need not be missed by the
// others first.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	peers := []Peer{s[0].peer, s[1].peer, s[2].peer}
	s[1].stop()
	again := w.start(s[1].peer, testSecret)
	again.SetPeers(peers)
	w.settle(again)
	if diff := cmp.Diff(3, len(again.Alive())); diff != "" {
		t.Errorf("members alive once settled (-want +got):\n%s", diff)
	}
	w.await(s[0], names(s...)...)
	w.await(s[2], names(s...)...)
}

// A node that is made anew has its old name and another address.
func TestNewAddress(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	s[2].stop()
	moved := Peer{Node: s[2].peer.Node, Addr: address()}
	again := w.start(moved, testSecret)
	peers := []Peer{s[0].peer, s[1].peer, moved}
	for _, one := range []*station{s[0], s[1], again} {
		one.SetPeers(peers)
	}
	w.await(again, names(s...)...)
	// The others may take a moment to see that the old one is dead; then they
	// must have the new one, and be heard by it.
	again.stop()
	w.await(s[0], names(s[:2]...)...)
	w.await(s[1], names(s[:2]...)...)
	third := w.start(moved, testSecret)
	third.SetPeers(peers)
	for _, one := range []*station{s[0], s[1], third} {
		w.await(one, names(s...)...)
	}
}

func TestSettled(t *testing.T) {
	tests := []struct {
		name  string
		peers func(own Peer) []Peer
	}{
		{name: "no peers", peers: func(Peer) []Peer { return nil }},
		{name: "itself", peers: func(own Peer) []Peer { return []Peer{own} }},
		{name: "nobody answers", peers: func(own Peer) []Peer {
			return []Peer{own, {Node: "b", Addr: address()}, {Node: "c", Addr: address()}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.start(Peer{Node: "a", Addr: address()}, testSecret)
			select {
			case <-s.Settled():
				t.Fatal("settled before it was told of any peers")
			case <-time.After(20 * time.Millisecond):
			}
			s.SetPeers(tt.peers(s.peer))
			w.settle(s)
			w.await(s, "a")
		})
	}
}

func TestStrangers(t *testing.T) {
	tests := []struct {
		name, secret, label string
		warns               bool
	}{
		{name: "another key", secret: "another one", warns: true},
		{name: "another label", secret: testSecret, label: "elsewhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.cluster(2)
			w.label = tt.label
			stranger := w.start(Peer{Node: "stranger", Addr: address()}, tt.secret)
			peers := []Peer{s[0].peer, s[1].peer, stranger.peer}
			for _, one := range []*station{s[0], s[1], stranger} {
				one.SetPeers(peers)
			}
			w.settle(stranger)
			w.await(stranger, "stranger")
			w.await(s[0], names(s...)...)
			if got := strings.Contains(w.logs.String(), "level=warn"); got != tt.warns {
				t.Errorf("warning logged: %v, want %v; logs:\n%s", got, tt.warns, w.logs.String())
			}
			if strings.Contains(w.logs.String(), "member=stranger") {
				t.Errorf("stranger was a member; logs:\n%s", w.logs.String())
			}
		})
	}
}

// While a key is rotated, at each speaker at another time, nobody is lost, and
// in the end the old key is of no use.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	w.pace.use, w.pace.forget = 400*time.Millisecond, 400*time.Millisecond
	s := w.cluster(3)
	before := w.logs.String()
	for _, one := range s {
		if err := one.SetKey([]byte("the next secret")); err != nil {
			t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
	}
	<-time.After(time.Second)
	for _, one := range s {
		w.await(one, names(s...)...)
	}
	if logs := strings.TrimPrefix(w.logs.String(), before); strings.Contains(logs, "member gone") {
		t.Errorf("a member was lost:\n%s", logs)
	}

	old := w.start(Peer{Node: "old", Addr: address()}, testSecret)
	old.SetPeers([]Peer{s[0].peer, s[1].peer, s[2].peer})
	w.settle(old)
	w.await(old, "old")
	young := w.start(Peer{Node: "young", Addr: address()}, "the next secret")
	young.SetPeers([]Peer{s[0].peer, s[1].peer, s[2].peer})
	w.await(young, append(names(s...), "young")...)
}

func TestKeyRefused(t *testing.T) {
	l := New(Config{Node: "a", Addr: address(), Port: testPort})
	for _, secret := range [][]byte{nil, {}} {
		if err := l.SetKey(secret); err == nil {
			t.Errorf("SetKey(%v) = nil, want an error", secret)
		}
	}
}

func TestPortTaken(t *testing.T) {
	at := address()
	taken, err := net.Listen("tcp", fmt.Sprintf("%v:%d", at, testPort))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l := New(Config{Node: "a", Addr: at, Port: testPort})
	if err := l.SetKey([]byte(testSecret)); err != nil {
		t.Fatal(err)
	}
	err = l.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("listen for gossip on %v:%d: ", at, testPort)) ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Start = %v, want an error that names the address and says that it is in use", err)
	}
}

func TestStartWithoutKey(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l := New(Config{Node: "a", Addr: address(), Port: testPort})
	l.SetPeers(nil)
	if err := l.Start(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-l.Settled():
		t.Error("settled without a key")
	default:
	}
}

func TestNoGoroutineLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	w := newWorld(t)
	s := w.cluster(3)
	s[0].SetPeers([]Peer{s[1].peer, s[2].peer, {Node: "nobody", Addr: address()}})
	for _, one := range s {
		one.stop()
	}
	limit := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-limit:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestMeasure prints how long the others take to see that a member is cut off
// silently, and that it is back. It asserts nothing: run it with
// HERALD_MEASURE=1 on an idle machine.
func TestMeasure(t *testing.T) {
	if os.Getenv("HERALD_MEASURE") == "" {
		t.Skip("set HERALD_MEASURE to measure")
	}
	tests := []struct {
		profile Profile
		n       int
	}{{LANFast, 2}, {LANFast, 3}, {LANFast, 10}, {LANFast, 30}, {Steady, 3}, {WAN, 3}}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v of %d", tt.profile, tt.n), func(t *testing.T) { measure(t, tt.profile, tt.n) })
	}
}

// measure cuts one of n members off, seven times.
func measure(t *testing.T, p Profile, n int) {
	w := newWorld(t)
	w.profile, w.pace = p, p.pace()
	s := w.cluster(n)
	last := s[n-1]
	for range 7 {
		w.put(1, last)
		cut := time.Now()
		for _, one := range s[:n-1] {
			w.await(one, names(s[:n-1]...)...)
		}
		gone := time.Since(cut)
		w.await(last, names(last)...)
		alone := time.Since(cut)
		<-time.After(time.Second)
		w.put(0, last)
		healed := time.Now()
		for _, one := range s {
			w.await(one, names(s...)...)
		}
		t.Logf("seen dead by all after %v, alone after %v, whole again after %v", gone.Round(time.Millisecond),
			alone.Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
		<-time.After(time.Second)
	}
}

// TestStarved prints how often a member of three is taken for dead although it
// is not, for as long as HERALD_STARVE says. Keep the processors busy meanwhile.
func TestStarved(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("HERALD_STARVE"))
	if err != nil {
		t.Skip("set HERALD_STARVE to a duration to measure")
	}
	w := newWorld(t)
	w.cluster(3)
	before := w.logs.String()
	<-time.After(length)
	logs := strings.TrimPrefix(w.logs.String(), before)
	t.Logf("%d members gone and %d suspected in %v", strings.Count(logs, "member gone"), strings.Count(logs, "Suspect "), length)
}

func TestLines(t *testing.T) {
	now := time.Unix(0, 0)
	var out syncBuffer
	l := &lines{logger: log.NewLogfmtLogger(&out), now: func() time.Time { return now }}
	write := func(text string) { fmt.Fprintln(l, text) }

	write("[DEBUG] memberlist: Stream connection")
	for range 100 {
		write("[ERR] memberlist: Decrypt packet failed: x")
	}
	now = now.Add(warnInterval)
	write("[ERR] memberlist: Decrypt packet failed: y")
	write("[WARN] memberlist: z")

	warn := `level=warn msg="gossip cannot be decrypted, is the secret the same everywhere?" reason="[ERR] memberlist: Decrypt packet failed: `
	quiet := `level=debug msg=gossip reason="[ERR] memberlist: Decrypt packet failed: x"` + "\n"
	want := warn + "x\"\n" + strings.Repeat(quiet, linesInWindow) + warn + "y\"\n" +
		`level=debug msg=gossip reason="[WARN] memberlist: z"` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
