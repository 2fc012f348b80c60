package members

import (
	"maps"

	"github.com/go-kit/log/level"
	"github.com/hashicorp/memberlist"

	"github.com/heraldlb/herald/speaker/ledger"
)

// Alive returns the names of the nodes whose speakers are alive; this one is
// until Leave. A node that others find silent is not, see ledger.Silenced. The
// map must not be written to.
func (l *List) Alive() map[string]bool { return *l.alive.Load() }

// Records returns what the members say of themselves and each other, by node;
// that of this one is among them. A member that others find silent is still
// one. The map must not be written to.
func (l *List) Records() map[string]ledger.Record { return *l.records.Load() }

// Present returns the names of the nodes whose speakers are members, silent or
// not. The map must not be written to.
func (l *List) Present() map[string]bool { return *l.present.Load() }

// publish takes note of who is a member.
func (l *List) publish(present map[string]bool) {
	l.publishMu.Lock()
	defer l.publishMu.Unlock()
	l.present.Store(&present)
	l.show()
}

// refresh takes note of new records.
func (l *List) refresh() {
	l.publishMu.Lock()
	defer l.publishMu.Unlock()
	l.show()
}

// show makes what Alive and Records return what follows from the members and
// the book, and reports what changed.
func (l *List) show() {
	present := l.Present()
	all := l.book.nodes()
	records := make(map[string]ledger.Record, len(present))
	for name := range present {
		if r, ok := all[name]; ok {
			records[name] = r
		}
	}
	silent := ledger.Silenced(present, records)
	alive := maps.Clone(present)
	for name := range silent {
		if name != l.config.Node { // it may be wrong of itself, and the others act as if it were
			delete(alive, name)
		}
	}
	before := l.Alive()
	same := maps.Equal(before, alive)
	if !same {
		l.alive.Store(&alive)
	}
	if same && maps.EqualFunc(l.Records(), records, sameVersion) {
		return
	}
	l.records.Store(&records)
	l.metrics.alive.Set(float64(len(alive)))
	l.metrics.silent.Set(float64(len(present) - len(alive)))
	token(l.changedC)
	l.logChange(before, alive, silent)
}

// sameVersion reports whether two records of a node are the same.
func sameVersion(a, b ledger.Record) bool { return a.Version == b.Version }

// logChange logs who is alive and was not, and the other way round.
func (l *List) logChange(before, alive map[string]bool, silent map[string]string) {
	for name := range alive {
		if !before[name] {
			level.Info(l.logger).Log("msg", "member joined", "member", name, "count", len(alive))
		}
	}
	for name := range before {
		switch {
		case alive[name]:
		case silent[name] != "":
			level.Info(l.logger).Log("msg", "member silent", "member", name, "node", silent[name], "count", len(alive))
		default:
			level.Info(l.logger).Log("msg", "member gone", "member", name, "count", len(alive))
		}
	}
}

// aliveOf returns the names of the members of memberlist.
func aliveOf(m *memberlist.Memberlist) map[string]bool {
	nodes := m.Members()
	alive := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		alive[n.Name] = true // nothing else of a Node may be read without its lock
	}
	return alive
}
