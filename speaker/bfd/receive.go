package bfd

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/go-kit/log/level"
)

// A peer is what a packet tells of the session it is for before the
// discriminators are known.
type peer struct {
	remote   netip.Addr
	multihop bool
}

// peer returns whom the packets of s are from.
func (s *session) peer() peer { return peer{s.key.remote, s.key.multihop} }

// An outcome is what becomes of a packet that is not taken.
type outcome uint8

const (
	outcomeTaken outcome = iota
	// outcomeMalformed: it is no packet by RFC 5880 section 6.8.6.
	outcomeMalformed
	// outcomeDistant: it has come from too far away, by its TTL.
	outcomeDistant
	// outcomeUnknown: there is no session that it is for.
	outcomeUnknown
	outcomes
)

// String implements fmt.Stringer.
func (o outcome) String() string {
	switch o {
	case outcomeTaken:
		return "taken"
	case outcomeMalformed:
		return "malformed"
	case outcomeDistant:
		return "distant"
	case outcomeUnknown:
		return "unknown"
	default:
		return "none"
	}
}

// take judges a packet and gives it to its session.
func (e *engine) take(o *opening, a arrival, b []byte) {
	var p packet
	if err := p.parse(b); err != nil {
		e.metrics.discarded[outcomeMalformed].Inc()
		return
	}
	if !o.at.multihop && a.ttl != maxTTL {
		e.metrics.discarded[outcomeDistant].Inc()
		return
	}
	s := e.find(&p, a, o.at.multihop)
	if s == nil {
		e.metrics.discarded[outcomeUnknown].Inc()
		return
	}
	if a.ttl < int(s.profile.MinimumTTL) {
		e.metrics.discarded[outcomeDistant].Inc()
		return
	}
	e.receive(s, &p)
}

// find returns the session that a packet is for, nil if there is none (RFC 5880
// section 6.3). A discriminator of ours is not enough, a packet must come from
// the peer as well.
func (e *engine) find(p *packet, a arrival, multihop bool) *session {
	if p.yours != 0 {
		s := e.byLocal[p.yours]
		if s == nil || s.peer() != (peer{a.from, multihop}) || !e.admits(s, a) {
			return nil
		}
		return s
	}
	var best *session
	for _, s := range e.byPeer[peer{a.from, multihop}] {
		if e.admits(s, a) && (best == nil || s.closer(best)) {
			best = s
		}
	}
	return best
}

// admits reports whether a packet has come as those of s must.
func (e *engine) admits(s *session, a arrival) bool {
	if s.key.local.IsValid() && s.key.local != a.to {
		return false
	}
	if s.key.multihop {
		return true // its packets come in through any interface, also one of its VRF
	}
	through := func() bool { return s.outbox != nil && s.outbox.index() == a.index }
	if s.key.iface == "" || through() {
		return true
	}
	// Its interface may have been replaced by another one of that name.
	return s.state != Up && e.dial(s, time.Now()) && through()
}

// closer reports whether s says more precisely than o what it wants.
func (s *session) closer(o *session) bool {
	return cmp.Or(
		cmp.Compare(bit(s.key.iface != ""), bit(o.key.iface != "")),
		cmp.Compare(bit(s.key.local.IsValid()), bit(o.key.local.IsValid())),
	) > 0
}

// receive gives a packet to a session.
func (e *engine) receive(s *session, p *packet) {
	now := time.Now()
	s.counters.received.Inc()
	state, first := s.state, s.remote == 0
	terms := s.terms()
	answer := s.receive(p, now)
	s.heard.Store(max(1, int64(now.Sub(e.born))))
	if first || terms != s.terms() {
		e.dirty = true
	}
	e.tell = e.tell || first
	if errors.Is(s.err, errRefused) {
		e.fault(s, nil)
	}
	e.changed(s, state)
	if answer {
		e.send(s, true, now)
	}
	e.reschedule(s)
}

// terms are what is published of a session, besides its state.
type terms struct {
	state               State
	diagnostic          Diagnostic
	transmit, detection time.Duration
}

func (s *session) terms() terms {
	return terms{s.remoteState, s.remoteDiagnostic, s.interval(), s.detection()}
}

// An opening is a door that sessions need.
type opening struct {
	at    door
	inbox inbox // nil while it cannot be opened
	err   error
}

// compare orders doors.
func (d door) compare(o door) int {
	return cmp.Or(cmp.Compare(bit(d.multihop), bit(o.multihop)), cmp.Compare(bit(d.v6), bit(o.v6)))
}

// open opens a door if it is not open.
func (e *engine) open(at door, now time.Time) {
	o := e.doors[at]
	if o == nil {
		o = &opening{at: at}
		e.doors[at] = o
	} else if o.inbox != nil || o.err != nil {
		return // open, or about to be tried again
	}
	e.unlock(o, now)
}

// unlock tries to open a door.
func (e *engine) unlock(o *opening, now time.Time) {
	in, err := e.network.listen(o.at)
	e.dirty = true
	if err != nil {
		if o.err == nil || o.err.Error() != err.Error() {
			e.tell = true
			level.Error(e.config.Logger).Log("msg", "bfd packets not received", "error", err)
		}
		o.err = err
		e.again(now)
		return
	}
	e.tell = e.tell || o.err != nil
	o.inbox, o.err = in, nil
	e.watchers.Go(func() { in.watch(func() { token(e.comeC) }) })
	for _, s := range e.sessions {
		if s.door == o.at {
			s.urgent = true
			e.reschedule(s)
		}
	}
}

// again has what could not be opened tried again.
func (e *engine) again(now time.Time) {
	if e.retry.IsZero() {
		e.retry = now.Add(retryInterval)
	}
}

// reopen tries to open the sockets that could not be.
func (e *engine) reopen(now time.Time) {
	e.retry = time.Time{}
	for _, at := range slices.SortedFunc(maps.Keys(e.doors), door.compare) {
		if o := e.doors[at]; o.inbox == nil {
			e.unlock(o, now)
		}
	}
	for _, s := range e.sessions {
		if s.outbox == nil {
			e.dial(s, now)
		}
	}
}

// closeDoors closes the doors that no session needs.
func (e *engine) closeDoors() {
	needed := map[door]bool{}
	for _, s := range e.sessions {
		needed[s.door] = true
	}
	for at := range e.doors {
		if !needed[at] {
			e.shut(at)
		}
	}
}

// shut closes a door.
func (e *engine) shut(at door) {
	if in := e.doors[at].inbox; in != nil {
		_ = in.Close()
	}
	delete(e.doors, at)
}
