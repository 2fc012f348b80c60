package members

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// Law: what a node says while its link is down for a moment is known to the
// others within little more than a second, although all packets about it were
// lost and nobody was taken for dead.
func TestBounce(t *testing.T) {
	w := newWorld(t)
	s := w.cluster(3)
	for _, one := range s {
		w.settle(one)
	}
	s[0].Claim([]desired.Claim{claimed(1, "node-0", 1)})
	for _, one := range s {
		w.knows(one, claimed(1, "node-0", 1))
		w.silence(one)
	}
	w.put(1, s[0])
	s[0].SetLinks([]desired.Link{})
	s[0].Claim([]desired.Claim{claimed(1, "node-1", 2)})
	<-time.After(100 * time.Millisecond)
	w.silence(s[0])
	w.put(0, s[0])
	began := time.Now()
	for _, one := range s[1:] {
		w.knows(one, claimed(1, "node-1", 2))
		w.expect(one, "told of the links", func() bool { return one.Records()["node-0"].Links != nil })
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("known after %v", took)
	}
	for _, line := range []string{"member gone", "member silent"} {
		if strings.Contains(w.logs.String(), line) {
			t.Errorf("%s; logs:\n%s", line, w.logs.String())
		}
	}
}

// Law: what is said is told again in each round once, together with what is said
// at about the same time, until there is something newer.
func TestEchoes(t *testing.T) {
	var l ledger.Ledger
	var e echoes
	start := time.Unix(1000, 0)
	say := func(at time.Duration, claims ...desired.Claim) {
		e.add(l.Merge(claims, nil), start.Add(at))
	}
	say(0, claimed(1, "a", 1), claimed(2, "a", 1))
	say(20*time.Millisecond, claimed(3, "a", 1))
	l.Merge([]desired.Claim{claimed(2, "b", 2)}, nil) // heard
	e.add(l.Merge(nil, []ledger.Record{{Node: "a", Version: 1}}), start.Add(30*time.Millisecond))
	say(500*time.Millisecond, claimed(3, "a", 2))
	var got []string
	for now := start; ; {
		wait, ok := e.wait(now)
		if !ok {
			break
		}
		now = now.Add(wait)
		n := e.take(now, &l)
		text := now.Sub(start).String()
		for _, c := range n.Claims {
			text += fmt.Sprintf(" %v:%d", c.Address, c.Epoch)
		}
		for _, r := range n.Records {
			text += " " + r.Node
		}
		got = append(got, text)
	}
	want := []string{
		"250ms 10.0.0.1:1 a", "750ms 10.0.0.3:2", "1s 10.0.0.1:1 a", "1.5s 10.0.0.3:2", "3s 10.0.0.1:1 a", "3.5s 10.0.0.3:2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// silence waits until there is nothing left that a station would tell by itself
// soon.
func (w *world) silence(s *station) {
	w.t.Helper()
	left := func() int {
		s.book.mu.Lock()
		defer s.book.mu.Unlock()
		return s.book.urgent.Len() + s.book.gossip.Len()
	}
	for limit := time.After(patience); left() > 0; {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			w.t.Fatalf("%s has %d things left to tell", s.peer.Node, left())
		}
	}
}
