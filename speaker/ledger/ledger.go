package ledger

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/speaker/desired"
)

// A Ledger is all that a speaker knows of what speakers tell each other. The
// zero Ledger knows nothing.
type Ledger struct {
	claims  *desired.Claims
	records map[string]Record // by node; never written once it is here
}

// News is what a Ledger did not know before.
type News struct {
	Claims  []desired.Claim
	Records []Record
}

// Empty reports whether nothing is new.
func (n News) Empty() bool { return len(n.Claims) == 0 && len(n.Records) == 0 }

// Claims returns the best claim known of each address.
func (l *Ledger) Claims() *desired.Claims { return l.claims }

// Records returns the latest record known of each node. The map must not be
// written to.
func (l *Ledger) Records() map[string]Record { return l.records }

// Merge takes in what was heard, from others or of this speaker's own, and
// returns what of it is better than what was known. Claims that cannot be told
// to others are left out.
func (l *Ledger) Merge(claims []desired.Claim, records []Record) News {
	var n News
	for _, c := range claims {
		if known := l.claims.Of(c.Address); c != known && validClaim(c) && c.Compare(known) > 0 {
			n.Claims = append(n.Claims, c)
		}
	}
	l.claims = l.claims.With(n.Claims...)
	if len(records) == 0 {
		return n
	}
	next := maps.Clone(l.records)
	for _, r := range records {
		if known, ok := next[r.Node]; !validName(r.Node) || ok && r.compare(known) <= 0 {
			continue
		}
		if next == nil {
			next = map[string]Record{}
		}
		next[r.Node] = r
		n.Records = append(n.Records, r)
	}
	if len(n.Records) > 0 {
		l.records = next
	}
	return n
}

// Forget drops the claims of the addresses for which keep returns false. Others
// may still know them, and tell them again.
func (l *Ledger) Forget(keep func(netip.Addr) bool) { l.claims = l.claims.Keep(keep) }

// Drop drops the record of a node.
func (l *Ledger) Drop(node string) {
	l.records = maps.Clone(l.records)
	delete(l.records, node)
}

// Whole returns the message that tells all.
func (l *Ledger) Whole(from string, complete bool) Message {
	m := Message{From: from, Complete: complete, Claims: make([]desired.Claim, 0, l.claims.Len())}
	for c := range l.claims.All() {
		m.Claims = append(m.Claims, c)
	}
	m.Records = slices.SortedFunc(maps.Values(l.records), func(a, b Record) int { return strings.Compare(a.Node, b.Node) })
	return m
}

// has reports whether there is something to tell of a topic.
func (l *Ledger) has(t topic) bool {
	if t.node != "" {
		_, ok := l.records[t.node]
		return ok
	}
	return l.claims.Of(t.addr) != desired.Claim{}
}

// addTo adds what there is to tell of a topic to a message.
func (l *Ledger) addTo(b *builder, t topic) {
	if t.node != "" {
		b.addRecord(l.records[t.node])
		return
	}
	b.addClaim(l.claims.Of(t.addr))
}
