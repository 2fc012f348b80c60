package layer2

import (
	"context"
	"time"
)

// readPause is how long serve waits after a read error that came right behind
// another one.
const readPause = 100 * time.Millisecond

// claimPause is how long the same claim is not passed on again: a station that
// floods the link with one is no more than a few of them.
const claimPause = 10 * time.Millisecond

// serve reads and answers frames until the port is closed or ctx ends. A link
// that goes down gives one error and is read on; bad frames give none.
func (p *port) serve(ctx context.Context) {
	buf := make([]byte, 1024)
	failed := false
	for {
		n, _, err := p.conn.ReadFrom(buf)
		if err == nil {
			failed = false
			p.handle(buf[:n])
			continue
		}
		pause := time.Duration(0)
		if failed {
			pause = readPause
		}
		failed = true
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.stop: // closed before the socket, whose error says so in several ways
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// handle answers one frame, and passes a claim on.
func (p *port) handle(frame []byte) {
	v := p.reply(frame)
	if v.outcome != claimed {
		p.counters[v.outcome].Inc()
		return
	}
	_, fellow := (*p.fellows.Load())[v.by]
	if fellow {
		v.outcome = claimedByFellow
	}
	p.counters[v.outcome].Inc()
	c, now := claim{spot: spot{p, v.addr}, by: v.by, fellow: fellow}, time.Now()
	if c == p.passed && now.Sub(p.passedAt) < claimPause {
		return
	}
	p.passed, p.passedAt = c, now
	select {
	case p.claims <- c:
	case <-p.stop:
	}
}

// reply decides on a frame and sends what it gets.
func (p *port) reply(frame []byte) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.wire.answer(frame, &p.holding)
	if v.outcome == answered && p.send(v.reply, replyTimeout) != nil {
		v.outcome = sendFailed
	}
	return v
}
