package bfd

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A duel is two machines on a virtual clock, with a wire between them that keeps
// packets in order.
type duel struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	ends   [2]*machine
	wires  [2][]flying // to each end
	loss   float64
	late   time.Duration // by how much an end looks late at most
	// sights is when each end looks next.
	sights [2]time.Time
	sent   [2]time.Time // when the last periodic packet went, zero if the next may go at any time
	flaps  int
}

// A flying packet arrives at some time.
type flying struct {
	at time.Time
	p  packet
}

func newDuel(t *testing.T, seed uint64) *duel {
	d := &duel{t: t, random: rand.New(rand.NewPCG(seed, 7)), now: at(0)}
	for i := range d.ends {
		d.ends[i] = newMachine(d.profile(i == 1), uint32(i+1), d.now)
		d.sights[i] = d.now
	}
	return d
}

// profile returns any profile; the second end may be passive.
func (d *duel) profile(mayBePassive bool) Profile {
	return Profile{
		Transmit: time.Duration(10+d.random.IntN(400)) * ms, Receive: time.Duration(10+d.random.IntN(400)) * ms,
		Multiplier: uint8(2 + d.random.IntN(4)), Passive: mayBePassive && d.random.IntN(2) == 0,
	}
}

// run lets time pass.
func (d *duel) run(length time.Duration) {
	for end := d.now.Add(length); ; {
		next, who, arrival := end, -1, false
		for i := range d.ends {
			if w := d.wires[i]; len(w) > 0 && !w[0].at.After(next) {
				next, who, arrival = w[0].at, i, true
			}
			if at := d.sights[i]; !at.IsZero() && at.Before(next) {
				next, who, arrival = at, i, false
			}
		}
		if d.now = next; who < 0 {
			return
		}
		if arrival {
			p := d.wires[who][0].p
			d.wires[who] = d.wires[who][1:]
			d.receive(who, &p)
		} else {
			d.work(who)
		}
		d.look(who)
	}
}

// look decides when an end looks next: when it has something to do, or late.
func (d *duel) look(i int) {
	at, ok := d.ends[i].wake()
	if !ok {
		d.sights[i] = time.Time{}
		return
	}
	if d.late > 0 {
		at = at.Add(time.Duration(d.random.Int64N(int64(d.late))))
	}
	if d.sights[i] = at; at.Before(d.now) {
		d.sights[i] = d.now
	}
}

func (d *duel) receive(i int, p *packet) {
	before := d.ends[i].state
	if d.ends[i].receive(p, d.now) {
		d.send(i, true)
	}
	d.count(before, d.ends[i].state)
}

// work does what is due at an end.
func (d *duel) work(i int) {
	m := d.ends[i]
	before, received, detection := m.state, m.received, m.detection()
	if m.expire(d.now) && before != m.state {
		if silent := d.now.Sub(received); silent < detection {
			d.t.Fatalf("down after %v of silence, detection time %v", silent, detection)
		}
		d.count(before, m.state)
	}
	if due, ok := m.next(); ok && !due.After(d.now) {
		if gap := d.now.Sub(d.sent[i]); !m.urgent && !d.sent[i].IsZero() && gap < m.interval()*3/4 {
			d.t.Fatalf("%v after the last packet, interval %v", gap, m.interval())
		}
		d.send(i, false)
		m.transmitted(d.now, d.random.Float64())
		d.sent[i] = d.now
	}
}

// send puts a packet on the wire to the other end, or loses it.
func (d *duel) send(i int, final bool) {
	if d.random.Float64() < d.loss {
		return
	}
	wire := &d.wires[1-i]
	at := d.now.Add(time.Duration(d.random.Int64N(int64(2 * ms))))
	if n := len(*wire); n > 0 && at.Before((*wire)[n-1].at) {
		at = (*wire)[n-1].at
	}
	*wire = append(*wire, flying{at, d.ends[i].packet(final)})
}

func (d *duel) count(before, after State) { d.flaps += bit(before == Up && after != Up) }

// configure gives an end another profile.
func (d *duel) configure(i int, p Profile) {
	d.ends[i].configure(p)
	d.look(i)
}

// settled fails the test unless both ends are up and agree.
func (d *duel) settled() {
	d.t.Helper()
	for i, m := range d.ends {
		o := d.ends[1-i]
		interval := max(m.profile.Transmit, o.profile.Receive)
		if m.state != Up || m.polling || m.interval() != interval || m.detection() != time.Duration(o.profile.Multiplier)*max(m.profile.Receive, o.profile.Transmit) {
			d.t.Fatalf("end %d: %v, interval %v, detection %v, polling %v; %+v and %+v",
				i, m.state, m.interval(), m.detection(), m.polling, m.profile, o.profile)
		}
	}
}

// Whatever is lost, a session goes down only after a detection time without a
// packet, packets are never closer than the jitter allows, and both ends are up
// and agree soon after the losses end.
func TestLossLaw(t *testing.T) {
	for seed := range uint64(300) {
		d := newDuel(t, seed)
		d.late = time.Duration(d.random.IntN(30)) * ms
		for range 10 {
			d.loss = d.random.Float64()
			d.run(time.Duration(d.random.IntN(5000)) * ms)
			if d.random.IntN(3) == 0 {
				i := d.random.IntN(2)
				d.configure(i, d.profile(d.ends[i].profile.Passive))
			}
		}
		d.loss, d.late = 0, 0
		d.run(time.Minute)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		d.settled()
	}
}

// While nothing is lost and nobody is late, no change of a profile, at either
// end and at any time, takes a session down.
func TestChangeLaw(t *testing.T) {
	for seed := range uint64(300) {
		d := newDuel(t, seed)
		d.run(5 * time.Second)
		d.settled()
		for range 20 {
			i := d.random.IntN(2)
			d.configure(i, d.profile(d.ends[i].profile.Passive))
			d.run(time.Duration(d.random.IntN(1500)) * ms)
		}
		if d.flaps > 0 {
			t.Fatalf("seed %d: %d flaps", seed, d.flaps)
		}
		d.run(5 * time.Second)
		d.settled()
	}
}
