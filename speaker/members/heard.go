package members

import (
	"errors"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/hashicorp/memberlist"

	"github.com/heraldlb/herald/speaker/ledger"
)

// enoughMerges is how many speakers that have just started themselves one that
// starts asks for what they know, if there is none that has not. It is more
// than a rollout restarts at one time, and fewer than start after a power cut.
const enoughMerges = 16

// A delegate lets memberlist carry what is in the book.
type delegate struct{ list *List }

var _ memberlist.Delegate = delegate{}

// NodeMeta implements memberlist.Delegate.
func (delegate) NodeMeta(int) []byte { return nil }

// NotifyMsg implements memberlist.Delegate.
func (d delegate) NotifyMsg(buf []byte) { d.list.heard(buf, false) }

// GetBroadcasts implements memberlist.Delegate.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	b := d.list.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if msg := b.gossip.Next(&b.ledger, b.node, min(limit-overhead, ledger.MaxPacket)); msg != nil {
		return [][]byte{msg}
	}
	return nil
}

// LocalState implements memberlist.Delegate.
func (d delegate) LocalState(bool) []byte {
	b := d.list.book
	b.mu.Lock()
	known, complete := b.ledger, b.complete // what a Ledger has is replaced, not written
	b.mu.Unlock()
	return known.Whole(b.node, complete).Encode()
}

// MergeRemoteState implements memberlist.Delegate.
func (d delegate) MergeRemoteState(buf []byte, _ bool) { d.list.heard(buf, true) }

// heard takes in a message of another speaker. A state is all that it knows,
// where anything else is something new to it.
func (l *List) heard(buf []byte, state bool) {
	m, err := ledger.Decode(buf)
	if err != nil {
		l.metrics.messages.WithLabelValues(outcomeFailed).Inc()
		l.complaints.add(err, time.Now())
	}
	members := len(l.Present())
	b := l.book
	b.mu.Lock()
	n := b.ledger.Merge(m.Claims, m.Records)
	if b.ledger.Records()[b.node].Version != b.own.Version { // of an earlier life, when the clock was ahead
		b.own.Version = b.ledger.Records()[b.node].Version
		b.tell(b.renew(), members)
	}
	if b.complete || !state { // what one that starts is told, everybody knows
		b.spread(n, members)
	}
	if state {
		b.merges++
	}
	synced := state && (m.Complete || b.merges >= enoughMerges)
	l.showClaims()
	b.mu.Unlock()
	if err == nil {
		l.react(n)
	}
	if synced && !l.synced.Swap(true) { // last: all of it can be seen by now
		l.wake()
	}
}

// react reports what was heard to whom it concerns.
func (l *List) react(n ledger.News) {
	if n.Empty() {
		l.metrics.messages.WithLabelValues(outcomeKnown).Inc()
		return
	}
	l.metrics.messages.WithLabelValues(outcomeNew).Inc()
	if len(n.Records) > 0 {
		l.refresh()
		token(l.urgentC) // there may be an answer
	}
	if len(n.Claims) > 0 {
		token(l.changedC)
	}
}

// complaints logs what was heard and not understood: once for each peer of
// another version, and for the rest now and then.
type complaints struct {
	logger log.Logger

	mu       sync.Mutex
	versions map[ledger.VersionError]bool
	last     time.Time // of the rest
}

// maxComplaints bounds how many peers of other versions are remembered.
const maxComplaints = 1000

// add takes note of an error.
func (c *complaints) add(err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := errors.AsType[*ledger.VersionError](err); ok {
		if c.versions[*e] || len(c.versions) >= maxComplaints {
			return
		}
		c.versions[*e] = true
		level.Warn(c.logger).Log("msg", "speaker of another version is not understood", "member", e.From, "error", err)
		return
	}
	if now.Sub(c.last) >= warnInterval {
		c.last = now
		level.Warn(c.logger).Log("msg", "gossip not understood", "error", err)
	}
}
