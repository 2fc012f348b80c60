package members

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/go-kit/log/level"
)

// maxAsks is how often one that starts tries to hear from a speaker that is
// alive, as others say, what it knows.
const maxAsks = 5

// A tried search is one of which a try has ended.
type tried struct {
	*search
	heard bool // what the peer knows has been heard
}

// try reaches for a peer and says when it has.
func (s *seeker) try(ctx context.Context, t *search) {
	heard := s.reach(ctx, t.peer)
	select {
	case s.triedC <- tried{search: t, heard: heard}:
	case <-ctx.Done():
	}
}

// reach sends a ping to a peer and, if it answers and is still missing then, or
// nobody has told yet what the others know, exchanges all that is known with it
// and returns true. Silence is what is to be expected of a peer that is missing,
// and not reported.
func (s *seeker) reach(ctx context.Context, p Peer) (heard bool) {
	at := netip.AddrPortFrom(p.Addr, uint16(s.list.config.Port))
	if _, err := s.m.Ping(p.Node, net.UDPAddrFromAddrPort(at)); err != nil {
		return false
	}
	select {
	case s.joinsC <- struct{}{}:
		defer func() { <-s.joinsC }()
	case <-ctx.Done():
		return false
	}
	if s.list.Present()[p.Node] && s.list.synced.Load() || s.list.left.Load() || ctx.Err() != nil {
		return false
	}
	if _, err := s.m.Join([]string{p.Node + "/" + at.String()}); err != nil {
		s.list.metrics.joins.WithLabelValues(outcomeFailed).Inc()
		level.Debug(s.list.logger).Log("msg", "speaker not joined, will retry", "node", p.Node, "ip", p.Addr, "error", err)
		return false
	}
	s.list.metrics.joins.WithLabelValues(outcomeSucceeded).Inc()
	return true
}

// recordsKept is how long the record of a node that is no member is kept. It
// may be back, and what it said of itself last is better than nothing.
const recordsKept = 10 * time.Minute

// bury drops the records of nodes that have been no members for long.
func (s *seeker) bury(alive map[string]bool, now time.Time) {
	for node := range s.list.book.nodes() {
		since, ok := s.gone[node]
		switch {
		case alive[node] || node == s.list.config.Node:
			delete(s.gone, node)
		case !ok:
			s.gone[node] = now
		case now.Sub(since) > recordsKept:
			s.list.book.drop(node)
			delete(s.gone, node)
		}
	}
}
