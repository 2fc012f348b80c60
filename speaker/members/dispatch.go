package members

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/heraldlb/herald/speaker/ledger"
)

// maxBurst bounds the packets by which something is told to all members at
// once. A single claim reaches any cluster whole, 10,000 of them fifteen
// members; what is told to fewer than all gossip carries on.
const maxBurst = 1024

// dispatch sends what is urgent, whenever something is, and what is to be told
// again, until ctx ends.
func (l *List) dispatch(ctx context.Context, m *memberlist.Memberlist) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.urgentC:
		case <-timer.C:
		}
		wait, ok := l.book.echo(time.Now())
		l.flush(m)
		if timer.Stop(); ok {
			timer.Reset(wait)
		}
	}
}

// flush sends what is urgent to the members: a packet to each, lost or not. It
// waits for nobody.
func (l *List) flush(m *memberlist.Memberlist) {
	l.sendMu.Lock()
	defer l.sendMu.Unlock()
	packets := l.packets()
	if len(packets) == 0 {
		return
	}
	to := l.targets()
	if most := max(1, maxBurst/len(packets)); len(to) > most {
		rand.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
		to = to[:most]
	}
	for _, p := range packets {
		for _, a := range to {
			if err := m.SendToAddress(a, p); err != nil {
				l.metrics.sent.WithLabelValues(outcomeFailed).Inc()
				continue
			}
			l.metrics.sent.WithLabelValues(outcomeSucceeded).Inc()
		}
	}
}

// packets takes what is urgent from the book.
func (l *List) packets() [][]byte {
	b := l.book
	b.mu.Lock()
	defer b.mu.Unlock()
	var out [][]byte
	for b.urgent.Len() > 0 {
		p := b.urgent.Next(&b.ledger, b.node, ledger.MaxPacket)
		if p == nil {
			break
		}
		out = append(out, p)
	}
	return out
}

// targets returns where the other members listen, as far as that has been told.
func (l *List) targets() []memberlist.Address {
	members := l.Present()
	var out []memberlist.Address
	for _, p := range l.wanted().peers {
		if p.Node == l.config.Node || !members[p.Node] || !p.Addr.IsValid() {
			continue
		}
		at := netip.AddrPortFrom(p.Addr, uint16(l.config.Port))
		out = append(out, memberlist.Address{Addr: at.String(), Name: p.Node})
	}
	return out
}
