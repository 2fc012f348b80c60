package bfd

import "time"

// noteworthy is the least lateness that is remembered.
const noteworthy = time.Millisecond

// stalls remembers when the owner of the sessions was late, and by how much. It
// holds the last ones, which are more than detection times last.
type stalls struct {
	ring [256]stall
	next int
}

// A stall ended at some time.
type stall struct {
	at   time.Time
	late time.Duration
}

// note remembers that we were late by a duration until now.
func (s *stalls) note(now time.Time, late time.Duration) {
	if late < noteworthy {
		return
	}
	s.ring[s.next] = stall{now, late}
	s.next = (s.next + 1) % len(s.ring)
}

// worst returns by how much we were late at most since some time.
func (s *stalls) worst(since time.Time) time.Duration {
	var worst time.Duration
	for _, st := range s.ring {
		if st.at.After(since) {
			worst = max(worst, st.late)
		}
	}
	return worst
}
