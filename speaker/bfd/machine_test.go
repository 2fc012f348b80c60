package bfd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

// at returns a time of the tests.
func at(d time.Duration) time.Time { return time.Unix(1_000_000, 0).Add(d) }

// fast is a profile as it is used with BGP.
var fast = Profile{Transmit: 50 * ms, Receive: 50 * ms, Multiplier: 3}

// from is a packet of the peer.
func from(s State) *packet {
	return &packet{state: s, multiplier: 3, mine: 9, yours: 7, minTx: 50 * ms, minRx: 50 * ms}
}

// inState returns a machine in a state.
func inState(t testing.TB, p Profile, s State) *machine {
	t.Helper()
	m := newMachine(p, 7, at(0))
	switch s {
	case AdminDown:
		m.stop(at(0))
	case Down:
	case Init:
		m.receive(from(Down), at(0))
	case Up:
		m.receive(from(Init), at(0))
	}
	if m.state != s {
		t.Fatalf("state %v, want %v", m.state, s)
	}
	m.transmitted(at(0), 0)
	return m
}

// The table of RFC 5880 section 6.2 and the steps of section 6.8.6.
func TestTransitions(t *testing.T) {
	tests := []struct {
		state, peer, want State
		diagnostic        Diagnostic
	}{
		{Down, AdminDown, Down, 0},
		{Down, Down, Init, 0},
		{Down, Init, Up, 0},
		{Down, Up, Down, 0},
		{Init, AdminDown, Down, NeighborDown},
		{Init, Down, Init, 0},
		{Init, Init, Up, 0},
		{Init, Up, Up, 0},
		{Up, AdminDown, Down, NeighborDown},
		{Up, Down, Down, NeighborDown},
		{Up, Init, Up, 0},
		{Up, Up, Up, 0},
		{AdminDown, AdminDown, AdminDown, AdministrativelyDown},
		{AdminDown, Down, AdminDown, AdministrativelyDown},
		{AdminDown, Init, AdminDown, AdministrativelyDown},
		{AdminDown, Up, AdminDown, AdministrativelyDown},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v hears %v", tt.state, tt.peer), func(t *testing.T) {
			m := inState(t, fast, tt.state)
			m.receive(from(tt.peer), at(ms))
			if m.state != tt.want || m.diagnostic != tt.diagnostic {
				t.Errorf("%v %v, want %v %v", m.state, m.diagnostic, tt.want, tt.diagnostic)
			}
			if m.urgent != (tt.state != tt.want) {
				t.Errorf("urgent: %v", m.urgent)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	tests := []struct {
		state, want State
		diagnostic  Diagnostic
	}{
		{Down, Down, 0},
		{Init, Down, DetectionTimeExpired},
		{Up, Down, DetectionTimeExpired},
		{AdminDown, AdminDown, AdministrativelyDown},
	}
	for _, tt := range tests {
		t.Run(tt.state.String(), func(t *testing.T) {
			m := inState(t, fast, tt.state)
			if tt.state == Down || tt.state == AdminDown {
				m.receive(from(AdminDown), at(0))
			}
			if m.expire(at(150*ms - 1)) {
				t.Error("too early")
			}
			if got := m.expire(at(150 * ms)); got != (tt.state != AdminDown) {
				t.Errorf("expired: %v", got)
			}
			if m.state != tt.want || m.diagnostic != tt.diagnostic {
				t.Errorf("%v %v, want %v %v", m.state, m.diagnostic, tt.want, tt.diagnostic)
			}
			if m.state == Down && m.remote != 0 {
				t.Error("the discriminator of the peer is not forgotten (RFC 5880 section 6.8.1)")
			}
			if m.expire(at(time.Hour)) {
				t.Error("expired twice")
			}
		})
	}
}

// A look that comes more than an interval late gives the peer one more, once.
func TestLateLook(t *testing.T) {
	m := inState(t, fast, Up)
	if m.expire(at(201*ms)) || m.state != Up {
		t.Fatal("no grace")
	}
	if got, _ := m.wake(); m.deadline() != at(251*ms) || got.After(at(251*ms)) {
		t.Errorf("next look at %v", m.deadline())
	}
	if !m.expire(at(900 * ms)) {
		t.Error("grace given twice")
	}

	m = inState(t, fast, Up)
	m.expire(at(201 * ms))
	m.receive(from(Up), at(202*ms))
	if m.deadline() != at(352*ms) {
		t.Errorf("deadline %v after a packet", m.deadline())
	}
}

func TestNegotiation(t *testing.T) {
	tests := []struct {
		name                      string
		transmit, receive         time.Duration
		remoteTx, remoteRx        time.Duration
		state                     State
		interval, detection, tell time.Duration
	}{
		{name: "equal", transmit: 50 * ms, receive: 50 * ms, remoteTx: 50 * ms, remoteRx: 50 * ms, state: Up,
			interval: 50 * ms, detection: 150 * ms, tell: 50 * ms},
		{name: "peer is slower", transmit: 50 * ms, receive: 50 * ms, remoteTx: 300 * ms, remoteRx: 200 * ms, state: Up,
			interval: 200 * ms, detection: 900 * ms, tell: 50 * ms},
		{name: "we are slower", transmit: 300 * ms, receive: 200 * ms, remoteTx: 50 * ms, remoteRx: 50 * ms, state: Up,
			interval: 300 * ms, detection: 600 * ms, tell: 300 * ms},
		{name: "slow while not up", transmit: 50 * ms, receive: 50 * ms, remoteTx: 50 * ms, remoteRx: 50 * ms, state: Init,
			interval: time.Second, detection: 150 * ms, tell: time.Second},
		{name: "slower than slow", transmit: 2 * time.Second, receive: 50 * ms, remoteTx: 50 * ms, remoteRx: 50 * ms, state: Init,
			interval: 2 * time.Second, detection: 150 * ms, tell: 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := inState(t, Profile{Transmit: tt.transmit, Receive: tt.receive, Multiplier: 5}, tt.state)
			p := from(Up)
			if tt.state == Init {
				p = from(Down)
			}
			p.minTx, p.minRx = tt.remoteTx, tt.remoteRx
			m.receive(p, at(0))
			if m.state != tt.state || m.interval() != tt.interval || m.detection() != tt.detection {
				t.Errorf("%v, interval %v, detection %v", m.state, m.interval(), m.detection())
			}
			if got := m.packet(false); got.minTx != tt.tell || got.minRx != tt.receive || got.multiplier != 5 || got.minEcho != 0 {
				t.Errorf("told: %+v", got)
			}
		})
	}
}

// A slower sender and a faster receiver wait for the peer to know (RFC 5880
// section 6.8.3); everything else is at once.
func TestPollSequence(t *testing.T) {
	settled := func(t *testing.T) *machine {
		m := inState(t, fast, Up)
		m.receive(from(Up), at(0))
		if !m.packet(false).poll {
			t.Fatal("no poll after coming up")
		}
		m.receive(final(), at(0))
		if m.packet(false).poll {
			t.Fatal("poll after its answer")
		}
		return m
	}
	tests := []struct {
		name                              string
		profile                           Profile
		interval, detection               time.Duration // while polling
		settledInterval, settledDetection time.Duration
	}{
		{name: "slower", profile: Profile{Transmit: 200 * ms, Receive: 200 * ms},
			interval: 50 * ms, detection: 600 * ms, settledInterval: 200 * ms, settledDetection: 600 * ms},
		{name: "sends faster", profile: Profile{Transmit: 50 * ms, Receive: 60 * ms},
			interval: 50 * ms, detection: 180 * ms, settledInterval: 50 * ms, settledDetection: 180 * ms},
		{name: "receives faster", profile: Profile{Transmit: 50 * ms, Receive: 20 * ms},
			interval: 50 * ms, detection: 150 * ms, settledInterval: 50 * ms, settledDetection: 60 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := settled(t)
			m.configure(tt.profile)
			if p := m.packet(false); !p.poll || p.minTx != tt.profile.Transmit || p.minRx != tt.profile.Receive {
				t.Errorf("told: %+v", p)
			}
			if p := m.packet(true); p.poll || !p.final {
				t.Errorf("answered: %+v", p)
			}
			// The peer sends as fast as it may.
			peer := from(Up)
			peer.minTx = ms
			m.receive(peer, at(0))
			if m.interval() != tt.interval || m.detection() != tt.detection {
				t.Errorf("interval %v, detection %v while polling", m.interval(), m.detection())
			}
			peer.final = true
			m.receive(peer, at(0))
			if m.interval() != tt.settledInterval || m.detection() != tt.settledDetection {
				t.Errorf("interval %v, detection %v after that", m.interval(), m.detection())
			}
			if m.packet(false).poll {
				t.Error("poll after its answer")
			}
		})
	}
	t.Run("changed while polling", func(t *testing.T) {
		m := settled(t)
		m.configure(Profile{Transmit: 100 * ms, Receive: 50 * ms})
		m.configure(Profile{Transmit: 200 * ms, Receive: 50 * ms})
		m.receive(final(), at(0))
		if !m.packet(false).poll || m.interval() != 50*ms {
			t.Errorf("an answer to the first poll ended the second: interval %v", m.interval())
		}
		m.receive(final(), at(0))
		if m.packet(false).poll || m.interval() != 200*ms {
			t.Errorf("interval %v", m.interval())
		}
	})
	t.Run("same", func(t *testing.T) {
		m := settled(t)
		if m.configure(fast); m.packet(false).poll || m.urgent {
			t.Error("a poll for nothing")
		}
	})
}

// final answers a poll.
func final() *packet {
	p := from(Up)
	p.final = true
	return p
}

func TestAnswer(t *testing.T) {
	p := from(Up)
	p.poll = true
	if !inState(t, fast, Up).receive(p, at(0)) {
		t.Error("a poll is not answered")
	}
	if inState(t, fast, AdminDown).receive(p, at(0)) {
		t.Error("a poll is answered in AdminDown")
	}
	if inState(t, fast, Up).receive(from(Up), at(0)) {
		t.Error("an answer to no poll")
	}
}

// Who is silent, and when (RFC 5880 section 6.8.7).
func TestSilence(t *testing.T) {
	passive := fast
	passive.Passive = true
	peer := func(edit func(p *packet)) *packet {
		p := from(Up)
		edit(p)
		return p
	}
	demand := peer(func(p *packet) { p.demand = true })
	tests := []struct {
		name    string
		profile Profile
		state   State
		packets []*packet
		sends   bool
	}{
		{name: "new", profile: fast, state: Down, sends: true},
		{name: "passive", profile: passive, state: Down},
		{name: "passive, heard", profile: passive, state: Init, sends: true},
		{name: "peer receives nothing", profile: fast, state: Up, packets: []*packet{peer(func(p *packet) { p.minRx = 0 })}},
		{name: "demand while polling", profile: fast, state: Up, packets: []*packet{demand}, sends: true},
		{name: "demand", profile: fast, state: Up, packets: []*packet{demand, peer(func(p *packet) { p.demand, p.final = true, true })}},
		{name: "stopped", profile: fast, state: AdminDown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := inState(t, tt.profile, tt.state)
			for _, p := range tt.packets {
				m.receive(p, at(0))
			}
			if _, ok := m.next(); ok != tt.sends {
				t.Errorf("sends: %v", ok)
			}
		})
	}
}

// Packets are a quarter of the interval apart less than it at most, and with a
// multiplier of one a tenth at least; a late one is made up for within that.
func TestJitter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		p := Profile{Transmit: time.Duration(1+random.IntN(1000)) * ms, Receive: 50 * ms, Multiplier: uint8(1 + random.IntN(3))}
		m := inState(t, p, Up)
		m.receive(final(), at(0))
		m.transmitted(at(0), random.Float64())
		longest := m.interval()
		if p.Multiplier == 1 {
			longest = m.interval() * 9 / 10
		}
		for range 3 {
			due, ok := m.next()
			if d := due.Sub(m.sent); !ok || d < m.interval()*3/4 || d > longest {
				t.Fatalf("%v after the last, with an interval of %v and a multiplier of %d", d, m.interval(), p.Multiplier)
			}
			m.transmitted(due.Add(time.Duration(random.IntN(int(m.interval())))), random.Float64())
		}
	}
	m := inState(t, fast, Up)
	m.receive(final(), at(0))
	m.transmitted(at(0), 0)
	m.transmitted(at(55*ms), 0)
	if due, _ := m.next(); due != at(100*ms) {
		t.Errorf("next packet due at %v, want 100 ms", due.Sub(at(0)))
	}
}

// A peer that wants packets more often gets them at once (RFC 5880 section
// 6.8.3).
func TestFasterAtOnce(t *testing.T) {
	m := inState(t, fast, Up)
	slow := final()
	slow.minRx = time.Second
	m.receive(slow, at(0))
	m.transmitted(at(0), 0)
	if due, _ := m.next(); due != at(time.Second) {
		t.Fatalf("due %v", due)
	}
	m.receive(from(Up), at(100*ms))
	if due, _ := m.next(); due != at(50*ms) {
		t.Errorf("due %v", due)
	}
}
