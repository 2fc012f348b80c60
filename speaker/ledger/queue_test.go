package ledger_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// next returns the next message of a queue, decoded, and whether there is one.
func next(t *testing.T, q *ledger.Queue, l *ledger.Ledger, limit int) (ledger.Message, bool) {
	t.Helper()
	b := q.Next(l, "self", limit)
	if b == nil {
		return ledger.Message{}, false
	}
	if len(b) > limit {
		t.Fatalf("message of %d bytes, want at most %d", len(b), limit)
	}
	m, err := ledger.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return m, true
}

// Everything is told as often as was asked for, in packets that are full.
func TestQueue(t *testing.T) {
	const n, times = 1000, 3
	var l ledger.Ledger
	var q ledger.Queue
	q.Add(l.Merge(claims(n), []ledger.Record{ledger.NewRecord("self", 1, nil, nil)}), times)
	told := map[netip.Addr]int{}
	records, packets := 0, 0
	for {
		m, ok := next(t, &q, &l, ledger.MaxPacket)
		if !ok {
			break
		}
		packets++
		records += len(m.Records)
		for _, c := range m.Claims {
			told[c.Address]++
		}
		if len(told) < n && len(m.Claims) > 0 && told[m.Claims[0].Address] > 1 {
			t.Fatal("something was repeated before all was told once")
		}
	}
	for addr, got := range told {
		if got != times {
			t.Errorf("%v was told %d times, want %d", addr, got, times)
		}
	}
	if len(told) != n || records != times || q.Len() != 0 {
		t.Errorf("%d claims, %d records, %d left", len(told), records, q.Len())
	}
	if packets > 20 {
		t.Errorf("%d packets, want at most 20", packets)
	}
}

// Of something that changes while it waits only the latest is told.
func TestQueueReplaces(t *testing.T) {
	var l ledger.Ledger
	var q ledger.Queue
	add := func(c desired.Claim) { q.Add(l.Merge([]desired.Claim{c}, nil), 2) }
	var got []string
	tell := func() {
		m, _ := next(t, &q, &l, ledger.MaxPacket)
		line := ""
		for _, c := range m.Claims {
			line += fmt.Sprintf("%v %s %d;", c.Address, c.Node, c.Epoch)
		}
		got = append(got, line)
	}
	add(claim("10.0.0.1", "a", 1))
	add(claim("10.0.0.2", "a", 1))
	add(claim("10.0.0.1", "b", 2))
	tell()
	add(claim("10.0.0.2", "b", 2)) // once told: it is new again, and first
	tell()
	l.Forget(func(a netip.Addr) bool { return a != netip.MustParseAddr("10.0.0.1") })
	add(claim("10.0.0.3", "a", 1))
	l.Forget(func(a netip.Addr) bool { return a != netip.MustParseAddr("10.0.0.3") })
	tell()
	tell()
	want := []string{
		"10.0.0.1 b 2;10.0.0.2 a 1;",
		"10.0.0.2 b 2;10.0.0.1 b 2;",
		"10.0.0.2 b 2;",
		"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if q.Len() != 0 {
		t.Errorf("%d left", q.Len())
	}
}

// What does not fit does not hold up what does.
func TestQueueSmall(t *testing.T) {
	var l ledger.Ledger
	var q ledger.Queue
	var links []desired.Link
	for i := range 30 {
		links = append(links, desired.Link{Name: fmt.Sprint("eth", i), Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	}
	q.Add(l.Merge([]desired.Claim{claim("10.0.0.1", "a", 1)}, []ledger.Record{ledger.NewRecord("big", 1, links, nil)}), 1)
	q.Add(l.Merge([]desired.Claim{claim("10.0.0.2", "a", 1)}, nil), 1)
	if m, ok := next(t, &q, &l, 60); !ok || len(m.Claims) != 2 || len(m.Records) != 0 {
		t.Errorf("in a small message: %v", m)
	}
	if m, ok := next(t, &q, &l, 60); ok {
		t.Errorf("in the next small message: %v", m)
	}
	if m, ok := next(t, &q, &l, ledger.MaxPacket); !ok || len(m.Records) != 1 {
		t.Errorf("in a large message: %v", m)
	}
	if m, ok := next(t, &q, &l, -5); ok {
		t.Errorf("in no room: %v", m)
	}
}

func BenchmarkQueue(b *testing.B) {
	for b.Loop() {
		var l ledger.Ledger
		var q ledger.Queue
		q.Add(l.Merge(claims(10_000), nil), 4)
		n := 0
		for q.Next(&l, "self", ledger.MaxPacket) != nil {
			n++
		}
		b.ReportMetric(float64(n), "packets")
	}
}
