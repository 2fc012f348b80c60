package members

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// claimed returns a claim of the i-th address.
func claimed(i int, node string, epoch uint64) desired.Claim {
	return desired.Claim{Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Node: node, Epoch: epoch}
}

// expect waits until something holds at a station.
func (w *world) expect(s *station, what string, holds func() bool) {
	w.t.Helper()
	limit := time.After(patience)
	for !holds() {
		select {
		case <-s.Changed():
		case <-limit:
			w.t.Fatalf("%s: not %s; alive %v, records %v, %d claims; logs:\n%s", s.peer.Node, what,
				s.Alive(), s.Records(), s.Claims().Len(), w.logs.String())
		}
	}
}

// knows waits until a station knows claims.
func (w *world) knows(s *station, claims ...desired.Claim) {
	w.t.Helper()
	w.expect(s, fmt.Sprint("told of ", claims[0]), func() bool {
		return !slices.ContainsFunc(claims, func(c desired.Claim) bool { return s.Claims().Of(c.Address) != c })
	})
}

func TestClaims(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	for _, one := range s {
		w.settle(one)
	}
	s[0].Claim([]desired.Claim{claimed(1, "node-0", 1)})
	if got := s[0].Claims().Of(claimed(1, "", 0).Address); got != claimed(1, "node-0", 1) {
		t.Errorf("own claim right after it was made: %v", got)
	}
	w.knows(s[1], claimed(1, "node-0", 1))
	w.knows(s[2], claimed(1, "node-0", 1))
	// The better one wins everywhere, whoever hears it when.
	s[1].Claim([]desired.Claim{claimed(1, "node-1", 2), claimed(2, "node-1", 1)})
	s[2].Claim([]desired.Claim{claimed(1, "node-2", 3)})
	for _, one := range s {
		w.knows(one, claimed(1, "node-2", 3), claimed(2, "node-1", 1))
	}
	s[0].Claim([]desired.Claim{claimed(1, "node-0", 1)})
	if got := s[0].Claims().Of(claimed(1, "", 0).Address); got != claimed(1, "node-2", 3) {
		t.Errorf("after an old claim: %v", got)
	}
	s[0].Forget(func(a netip.Addr) bool { return a != claimed(1, "", 0).Address })
	if got := s[0].Claims().Len(); got != 1 {
		t.Errorf("%d claims after one was forgotten, want 1", got)
	}
}

// Thousands of claims at once reach everybody, and those who come later; and
// what was claimed just before a speaker leaves is known.
func TestManyClaims(t *testing.T) {
	w := newWorld(t)
	w.pace.firstTries = 50 // somebody answers, however slow the machine
	s := w.cluster(3)
	var many []desired.Claim
	for i := range 10_000 {
		many = append(many, claimed(i, "node-1", 7))
	}
	s[0].Claim(many)
	if err := s[0].Leave(patience); err != nil {
		t.Error(err)
	}
	s[0].stop()
	w.knows(s[1], many...)
	w.knows(s[2], many...)
	late := w.start(Peer{Node: "late", Addr: address()}, testSecret)
	late.SetPeers([]Peer{s[1].peer, s[2].peer})
	w.settle(late)
	if got := late.Claims().Len(); got != len(many) {
		t.Errorf("%d claims known when settled, want %d", got, len(many))
	}
}

// One that starts knows what the others know once it has settled, even if it
// starts together with others who know nothing either.
func TestSettledKnows(t *testing.T) {
	w := newWorld(t)
	w.pace.firstTries = 50 // somebody answers, however slow the machine
	s := w.cluster(2)
	for _, one := range s {
		w.settle(one)
	}
	s[0].Claim([]desired.Claim{claimed(1, "node-0", 5)})
	s[0].SetLinks([]desired.Link{})
	peers := []Peer{s[0].peer, s[1].peer}
	var young []*station
	for i := range 4 {
		peers = append(peers, Peer{Node: fmt.Sprint("young-", i), Addr: address()})
	}
	slices.Reverse(peers)
	for i := range 4 {
		young = append(young, w.start(peers[i], testSecret))
	}
	for _, one := range young {
		one.SetPeers(peers)
	}
	for _, one := range young {
		w.settle(one)
		if got := one.Claims().Of(claimed(1, "", 0).Address); got != claimed(1, "node-0", 5) {
			t.Errorf("%s has settled and knows %v", one.peer.Node, got)
		}
		if got := one.Records()["node-0"]; got.Links == nil {
			t.Errorf("%s has settled and knows of node-0 %v", one.peer.Node, got)
		}
	}
}

// Both halves of a partition know each other's claims soon after it has healed.
func TestPartitionOfClaims(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(4)
	for _, one := range s {
		w.settle(one)
	}
	w.put(1, s[2:]...)
	w.await(s[0], names(s[:2]...)...)
	w.await(s[3], names(s[2:]...)...)
	w.await(s[1], names(s[:2]...)...)
	w.await(s[2], names(s[2:]...)...)
	s[0].Claim([]desired.Claim{claimed(1, "node-0", 3), claimed(2, "node-0", 4)})
	s[3].Claim([]desired.Claim{claimed(1, "node-3", 4), claimed(2, "node-3", 3)})
	w.knows(s[1], claimed(1, "node-0", 3), claimed(2, "node-0", 4))
	w.knows(s[2], claimed(1, "node-3", 4), claimed(2, "node-3", 3))
	w.put(0, s[2:]...)
	for _, one := range s {
		w.knows(one, claimed(1, "node-3", 4), claimed(2, "node-0", 4))
	}
}

func TestRecords(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	if got := s[0].Records()["node-0"]; got.Links != nil || got.Version == 0 {
		t.Errorf("own record before anything is known: %v", got)
	}
	links := []desired.Link{
		{Name: "eth0", Up: true, MAC: [6]byte{2, 0, 0, 0, 0, 1}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("fe80::5/64")}},
		{Name: "eth1"}, {Name: "eth2", Up: true},
	}
	want := []desired.Link{
		{Name: "eth0", Up: true, MAC: [6]byte{2, 0, 0, 0, 0, 1}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
		{Name: "eth2", Up: true},
	}
	opts := cmpopts.EquateComparable(netip.Prefix{})
	s[1].SetLinks(links)
	for _, one := range s {
		w.expect(one, "told of the links of node-1", func() bool { return cmp.Equal(want, one.Records()["node-1"].Links, opts) })
	}
	version := s[1].Records()["node-1"].Version
	s[1].SetLinks(slices.Clone(links))
	if got := s[1].Records()["node-1"].Version; got != version {
		t.Errorf("version %d after nothing changed, want %d", got, version)
	}
	s[1].SetLinks(nil)
	for _, one := range s {
		w.expect(one, "told that node-1 has no links", func() bool {
			got := one.Records()["node-1"].Links
			return got != nil && len(got) == 0
		})
	}
	s[1].stop()
	w.await(s[0], names(s[0], s[2])...)
	if _, ok := s[0].Records()["node-1"]; ok {
		t.Error("there is a record of one that is no member")
	}
}

// A node that a member finds silent is alive nowhere but at itself, until that
// member changes its mind or is no member any more.
func TestSilent(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	s[0].SetSilent([]string{"node-1", "node-0", "stranger"})
	if s[0].Alive()["node-1"] {
		t.Error("alive here although it is found silent here")
	}
	w.await(s[0], names(s[0], s[2])...)
	w.await(s[2], names(s[0], s[2])...)
	s[1].SetSilent([]string{"node-0", "node-2"}) // does not count
	w.expect(s[2], "told of what node-1 says", func() bool { return len(s[2].Records()["node-1"].Silent) == 2 })
	w.await(s[2], names(s[0], s[2])...)
	w.await(s[1], names(s...)...)
	if !strings.Contains(w.logs.String(), `msg="member silent" member=node-1 node=node-0 count=2`) {
		t.Errorf("logs:\n%s", w.logs.String())
	}
	s[1].SetSilent(nil)
	s[0].SetSilent(nil)
	for _, one := range s {
		w.await(one, names(s...)...)
	}
	s[0].SetSilent([]string{"node-1"})
	w.await(s[2], names(s[0], s[2])...)
	s[0].stop()
	w.await(s[2], names(s[1], s[2])...)
}

// A node whose clock was ahead in its earlier life is heard all the same.
func TestClockBehind(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(2)
	links := []desired.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}}
	future := uint64(time.Now().Add(time.Hour).UnixNano())
	old := ledger.Message{From: "node-0", Records: []ledger.Record{ledger.NewRecord("node-1", future, links, nil)}}
	s[0].heard(old.Encode(), false)
	for _, one := range s {
		w.expect(one, "told that nothing is known of the links", func() bool {
			r := one.Records()["node-1"]
			return r.Links == nil && r.Version > future
		})
	}
	s[1].SetLinks(links)
	w.expect(s[0], "told of the links", func() bool { return s[0].Records()["node-1"].Links != nil })
}

// What is not understood changes nothing, and is logged once for each peer.
func TestNotUnderstood(t *testing.T) {
	var out syncBuffer
	c := complaints{logger: log.NewLogfmtLogger(&out), versions: map[ledger.VersionError]bool{}}
	now := time.Unix(1000, 0)
	add := func(in []byte) {
		_, err := ledger.Decode(in)
		c.add(err, now)
	}
	for range 3 {
		add([]byte{9, 1, 'a', 1, 2, 3})
		add([]byte{9, 1, 'b'})
		add([]byte{8, 1, 'a'})
		add(nil)
		c.add(errors.New("other"), now)
	}
	now = now.Add(warnInterval)
	add(nil)
	version := func(who string, n int) string {
		return fmt.Sprintf("level=warn msg=\"speaker of another version is not understood\" member=%s error=\"gossip of \\\"%s\\\": version %d, want 1\"\n", who, who, n)
	}
	garbage := "level=warn msg=\"gossip not understood\" error=\"gossip: names no sender\"\n"
	want := version("a", 9) + version("b", 9) + version("a", 8) + garbage + garbage
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}

	l := New(Config{Node: "a", Addr: address(), Port: testPort})
	before := l.Records()
	l.heard([]byte{9, 1, 'a', 1, 2, 3}, false)
	l.heard(nil, true)
	if got := l.Records(); !cmp.Equal(before, got, cmpopts.EquateComparable(netip.Prefix{})) || l.Claims().Len() != 0 {
		t.Errorf("records %v, %d claims", got, l.Claims().Len())
	}
}

// Records of the long gone are dropped.
func TestBury(t *testing.T) {
	l := New(Config{Node: "a", Addr: address(), Port: testPort})
	l.heard(ledger.Message{From: "b", Records: []ledger.Record{{Node: "b", Version: 1}, {Node: "c", Version: 1}}}.Encode(), true)
	s := newSeeker(l, nil, nil)
	now := time.Unix(1000, 0)
	for _, alive := range []map[string]bool{{"a": true}, {"a": true, "c": true}, {"a": true}} {
		s.bury(alive, now)
		now = now.Add(recordsKept * 2 / 3)
	}
	s.bury(map[string]bool{}, now.Add(-recordsKept/3))
	var got []string
	for node := range l.book.nodes() {
		got = append(got, node)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a", "c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzHeard gives a List what a member may send.
func FuzzHeard(f *testing.F) {
	f.Add(ledger.Message{From: "b", Claims: []desired.Claim{claimed(1, "b", 1)}}.Encode(), true)
	f.Add(ledger.Message{From: "b", Records: []ledger.Record{ledger.NewRecord("a", 1<<63, nil, []string{"a", "b"})}}.Encode(), false)
	l := New(Config{Node: "a", Addr: netip.MustParseAddr("127.0.0.1"), Port: testPort})
	l.publish(map[string]bool{"a": true, "b": true})
	f.Fuzz(func(t *testing.T, in []byte, state bool) {
		l.heard(in, state)
		if !l.Alive()["a"] {
			t.Fatal("not alive any more by what was heard")
		}
		for _, b := range (delegate{l}).GetBroadcasts(3, 1300) {
			if _, err := ledger.Decode(b); err != nil || len(b) > ledger.MaxPacket {
				t.Fatalf("%d bytes to send on: %v", len(b), err)
			}
		}
		if _, err := ledger.Decode((delegate{l}).LocalState(false)); err != nil {
			t.Fatalf("whole state: %v", err)
		}
	})
}

// BenchmarkClaim measures from a claim until it is known to all the others, by
// UDP on the loopback network.
func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{3, 10, 30} {
		if n > 3 && os.Getenv("HERALD_MEASURE") == "" {
			continue
		}
		b.Run(fmt.Sprint(n, " members"), func(b *testing.B) {
			w := newWorld(b)
			s := w.cluster(n)
			var took []time.Duration
			for epoch := uint64(1); b.Loop(); epoch++ {
				start := time.Now()
				s[0].Claim([]desired.Claim{claimed(1, "node-0", epoch)})
				for _, one := range s[1:] {
					w.knows(one, claimed(1, "node-0", epoch))
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-max")
			for _, one := range s {
				one.stop()
			}
		})
	}
}
