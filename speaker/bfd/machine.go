package bfd

import "time"

// slowInterval is the least interval of a session that is not up (RFC 5880
// section 6.8.3).
const slowInterval = time.Second

// maxInterval is the longest interval that a packet can tell.
const maxInterval = (1<<32 - 1) * time.Microsecond

// A machine is one session by the rules of RFC 5880 section 6.8, without
// sockets, clock or chance. Its fields are the variables of section 6.8.1. The
// caller asks receive, expire and due what is to be done, and sends packet when
// they say so.
type machine struct {
	profile Profile // complete

	state, remoteState           State
	diagnostic, remoteDiagnostic Diagnostic
	local, remote                uint32 // discriminators; remote is zero until the peer is heard
	since                        time.Time

	// minTx and minRx are what we tell. The ones in use follow at once, or when
	// the peer has confirmed: usedTx while it grew, usedRx while it shrank
	// (section 6.8.3).
	minTx, minRx   time.Duration
	usedTx, usedRx time.Duration
	// remoteMinTx, remoteMinRx and remoteMultiplier are what the peer tells.
	remoteMinTx, remoteMinRx time.Duration
	remoteMultiplier         uint8
	remoteDemand             bool

	// polling: a Poll sequence goes on; another one follows if pollAgain.
	polling, pollAgain bool

	received time.Time // when the last packet came; zero before
	sent     time.Time // when the last one went; zero before
	// jitter is by what part of a quarter the present interval is shortened.
	jitter float64
	// late is by how much the last packet was sent late.
	late time.Duration
	// urgent: the peer should hear at once what has changed.
	urgent bool
	// extended is until when the peer has got more time, once since received;
	// zero if it has not.
	extended time.Time
}

// newMachine returns a session that is down and has heard nothing. The
// discriminator must not be zero.
func newMachine(p Profile, discriminator uint32, now time.Time) *machine {
	m := &machine{
		profile: p.complete(), state: Down, local: discriminator, since: now,
		// Until the peer tells, we may send as often as we like.
		remoteMinRx: time.Microsecond, urgent: true,
	}
	m.minTx, m.minRx = max(m.profile.Transmit, slowInterval), m.profile.Receive
	m.usedTx, m.usedRx = m.minTx, m.minRx
	return m
}

// complete returns p with its zero fields filled.
func (p Profile) complete() Profile {
	d := DefaultProfile
	if p.Transmit == 0 {
		p.Transmit = d.Transmit
	}
	if p.Receive == 0 {
		p.Receive = d.Receive
	}
	if p.Multiplier == 0 {
		p.Multiplier = d.Multiplier
	}
	if p.MinimumTTL == 0 {
		p.MinimumTTL = d.MinimumTTL
	}
	return p
}

// configure changes the profile of a session that goes on.
func (m *machine) configure(p Profile) {
	old := m.profile
	m.profile = p.complete()
	m.retime()
	if old.Multiplier != m.profile.Multiplier || old.Passive && !m.profile.Passive {
		m.urgent = m.state != AdminDown
	}
}

// retime makes what we tell fit the profile and the state. A change needs a
// Poll sequence; what would have the peer miss something waits for its end.
func (m *machine) retime() {
	tx, rx := m.profile.Transmit, m.profile.Receive
	if m.state == Up {
		m.usedTx, m.usedRx = min(m.usedTx, tx), max(m.usedRx, rx)
	} else {
		tx = max(tx, slowInterval)
		m.usedTx, m.usedRx = tx, rx
	}
	if tx == m.minTx && rx == m.minRx {
		return
	}
	m.minTx, m.minRx = tx, rx
	// An answer that is under way may be to the old values (section 6.5).
	m.pollAgain = m.polling
	m.polling = true
}

// receive takes a valid packet that the peer sent, and reports whether it must
// be answered at once by one with the Final bit.
func (m *machine) receive(p *packet, now time.Time) (answer bool) {
	m.remote, m.remoteState, m.remoteDiagnostic = p.mine, p.state, p.diagnostic
	m.remoteMinTx, m.remoteMinRx, m.remoteMultiplier = p.minTx, p.minRx, p.multiplier
	m.remoteDemand = p.demand
	m.received, m.extended = now, time.Time{}
	if p.final && m.polling {
		m.polling, m.pollAgain = m.pollAgain, false
		if !m.polling {
			m.usedTx, m.usedRx = m.minTx, m.minRx
		}
	}
	if m.state == AdminDown {
		return false
	}
	m.follow(p.state, now)
	return p.poll
}

// follow is the state machine of RFC 5880 section 6.8.6: what the state of the
// peer does to ours.
func (m *machine) follow(peer State, now time.Time) {
	switch {
	case peer == AdminDown && m.state != Down:
		m.become(Down, NeighborDown, now)
	case m.state == Down && peer == Down:
		m.become(Init, m.diagnostic, now)
	case m.state == Down && peer == Init:
		m.become(Up, 0, now)
	case m.state == Init && (peer == Init || peer == Up):
		m.become(Up, 0, now)
	case m.state == Up && peer == Down:
		m.become(Down, NeighborDown, now)
	}
}

// become enters another state, which the peer is to hear at once.
func (m *machine) become(s State, d Diagnostic, now time.Time) {
	m.state, m.diagnostic, m.since, m.urgent = s, d, now, true
	m.retime()
}

// stop ends the session as an operator does. It sends one more packet.
func (m *machine) stop(now time.Time) {
	m.become(AdminDown, AdministrativelyDown, now)
	m.polling, m.pollAgain = false, false
}

// detection returns how long the peer may be silent (section 6.8.4), or zero
// before it was heard.
func (m *machine) detection() time.Duration {
	if m.remote == 0 {
		return 0
	}
	return time.Duration(m.remoteMultiplier) * m.remoteInterval()
}

// remoteInterval returns the interval at which the peer sends, or is about to.
func (m *machine) remoteInterval() time.Duration { return max(m.usedRx, m.remoteMinTx) }

// deadline returns when the peer has been silent for too long, or zero when it
// is not waited for.
func (m *machine) deadline() time.Time {
	if m.remote == 0 || m.state == AdminDown {
		return time.Time{}
	}
	if !m.extended.IsZero() {
		return m.extended
	}
	return m.received.Add(m.detection())
}

// expire forgets a peer that has been silent for too long, which ends the
// session, and reports whether it did. Everything that has come must have been
// received first.
func (m *machine) expire(now time.Time) bool {
	at := m.deadline()
	if at.IsZero() || now.Before(at) {
		return false
	}
	if m.extended.IsZero() && now.Sub(at) > m.remoteInterval() {
		m.extended = now.Add(m.remoteInterval()) // see "Who is late" in doc.go
		return false
	}
	m.remote, m.remoteState, m.remoteDiagnostic = 0, 0, 0
	m.remoteMinTx, m.remoteMinRx, m.remoteMultiplier, m.remoteDemand = 0, time.Microsecond, 0, false
	m.polling, m.pollAgain = false, false
	if m.state == Init || m.state == Up {
		m.become(Down, DetectionTimeExpired, now)
	}
	return true
}

// interval returns the interval at which packets are sent, before jitter.
func (m *machine) interval() time.Duration { return max(m.usedTx, m.remoteMinRx) }

// next returns when the next packet is due, if one is (RFC 5880 section 6.8.7).
func (m *machine) next() (at time.Time, ok bool) {
	switch {
	case m.state == AdminDown,
		m.remote == 0 && m.profile.Passive,
		m.remoteMinRx == 0,
		m.remoteDemand && m.state == Up && m.remoteState == Up && !m.polling && !m.urgent:
		return time.Time{}, false
	case m.urgent:
		return m.sent, true
	}
	return m.sent.Add(max(m.shortened(1), m.shortened(m.jitter)-m.late)), true
}

// wake returns when there is something to do, if there will be.
func (m *machine) wake() (at time.Time, ok bool) {
	at, ok = m.next()
	if d := m.deadline(); !d.IsZero() && (!ok || d.Before(at)) {
		return d, true
	}
	return at, ok
}

// shortened returns the interval less jitter: up to a quarter, and with a
// multiplier of one at least a tenth, so that no packet is waited for in vain.
func (m *machine) shortened(jitter float64) time.Duration {
	i := m.interval()
	least := 0.0
	if m.profile.Multiplier == 1 {
		least = 0.10
	}
	return i - time.Duration(float64(i)*(least+jitter*(0.25-least)))
}

// packet returns what is to be sent. Final answers a poll, and then nothing is
// asked (section 6.5).
func (m *machine) packet(final bool) packet {
	return packet{
		state: m.state, diagnostic: m.diagnostic,
		poll: m.polling && !final, final: final,
		multiplier: m.profile.Multiplier,
		mine:       m.local, yours: m.remote,
		minTx: m.minTx, minRx: m.minRx,
	}
}

// transmitted notes that the packet that was due is sent now. Jitter is in
// [0, 1] and decides about the next one.
func (m *machine) transmitted(now time.Time, jitter float64) {
	m.late = 0
	if due, ok := m.next(); ok && !m.urgent {
		m.late = max(0, now.Sub(due))
	}
	m.sent, m.jitter, m.urgent = now, jitter, false
}
