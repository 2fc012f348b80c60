package layer2

import "time"

// recentClaim is how old a claim may be when an address is yielded to count as
// that of the successor, who may be faster than we are.
const recentClaim = time.Second

// yield makes an announced address one that is answered for only until another
// station claims it. Who has claimed it just now is taken for the successor.
func (e *engine) yield(at spot, now time.Time) {
	d := e.disputes[at]
	e.forget(at)
	if d != nil && now.Sub(d.seen) < recentClaim {
		_ = at.port.release(at.addr) // a group that could not be left harms nobody
		return
	}
	at.port.stand(at.addr, yielded)
}

// release ends a yield.
func (e *engine) release(at spot) {
	e.forget(at)
	_ = at.port.release(at.addr) // a group that could not be left harms nobody
	e.outdate(at.addr)
	if e.drained != nil {
		e.checkDrained()
	}
}

// drain begins a graceful end: every address is yielded. What it returns is
// closed when none is left.
func (e *engine) drain(now time.Time) <-chan struct{} {
	if e.drained != nil {
		return e.drained
	}
	e.drained = make(chan struct{})
	for _, p := range e.ports {
		for a, s := range p.holding.addrs {
			e.outdate(a)
			switch at := (spot{p, a}); s {
			case announced:
				e.yield(at, now)
			case probed: // nobody relies on us for it
				e.forget(at)
				_ = p.release(a)
			case yielded:
			}
		}
	}
	e.publish()
	e.checkDrained()
	return e.drained
}

// left returns how many addresses the ports answer for, each on its interface.
func (e *engine) left() int {
	n := 0
	for _, p := range e.ports {
		n += len(p.holding.addrs)
	}
	return n
}

// checkDrained closes drained when no address is left.
func (e *engine) checkDrained() {
	if e.left() > 0 {
		return
	}
	e.publish()
	select {
	case <-e.drained:
	default:
		close(e.drained)
	}
}
