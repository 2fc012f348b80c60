package watch

import "time"

// Bounds on when the next pass is made.
const (
	retryFirst = 100 * time.Millisecond // after a failure
	retryLast  = 5 * time.Second        // after many in a row

	// paceShare is the part of a processor that passes cost in the long run when
	// events never end: one over it. The garbage that they leave costs as much.
	paceShare = 60
	// paceCredit is what passes may cost at once after a rest. What makes a new
	// Service reachable comes as several events, none of which should wait for the
	// sake of those before it.
	paceCredit = 100 * time.Millisecond
	// paceMost is how long a pass waits at most.
	paceMost = 300 * time.Millisecond
)

// A budget bounds what passes cost: it grows with time, and passes use it up. It
// is pure. The zero budget has all of its credit.
type budget struct {
	spent time.Duration // of paceCredit, at
	at    time.Time
}

// spend takes note of a pass that began at the time now.
func (b *budget) spend(now time.Time, took time.Duration) {
	*b = budget{spent: b.left(now) + took, at: now.Add(took)}
}

// left returns what is spent at the time now.
func (b *budget) left(now time.Time) time.Duration {
	return max(0, b.spent-now.Sub(b.at)/paceShare)
}

// wait returns how long the next pass is to wait; zero for not at all.
func (b *budget) wait(now time.Time) time.Duration {
	debt := b.left(now) - paceCredit
	return min(max(0, debt*paceShare), paceMost-now.Sub(b.at))
}
