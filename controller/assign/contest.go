package assign

import "time"

// A status that somebody else rewrites again and again is put right at once
// for patience times, and then less and less often, down to once in lastPause:
// two controllers that both handle a Service must not keep the API server busy.
const (
	patience   = 3
	firstPause = time.Second
	lastPause  = time.Minute
	// peace is how long a status must stay as it was written to be trusted again.
	peace = 10 * time.Minute
)

// A contest is what is known of others who write a Service's status.
type contest struct {
	// outcome is what was written last, and at when.
	outcome outcome
	at      time.Time
	// rewrites counts how often the same had to be written again.
	rewrites int
	told     bool
}

// pause returns how long to leave a status as it is that differs from what
// was written, and whether this is to be told now.
func (c *contest) pause(out outcome, now time.Time) (wait time.Duration, tell bool) {
	if !c.outcome.same(out) || now.Sub(c.at) > peace {
		return 0, false
	}
	if c.rewrites < patience {
		return 0, false
	}
	wait = min(firstPause<<min(c.rewrites-patience, 10), lastPause) - now.Sub(c.at)
	tell = wait > 0 && !c.told
	c.told = c.told || tell
	return max(wait, 0), tell
}

// wrote notes that an outcome was written.
func (c *contest) wrote(out outcome, now time.Time) {
	if c.outcome.same(out) && now.Sub(c.at) <= peace {
		c.rewrites++
	} else {
		*c = contest{}
	}
	c.outcome, c.at = out, now
}

// contested is contest.pause for a Service of the book.
func (t *term) contested(key string, out outcome, now time.Time) (wait time.Duration, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.book.entries[key]
	if e == nil {
		return 0, false
	}
	return e.contest.pause(out, now)
}

// wrote tells the book what a Service's status shows now.
func (t *term) wrote(r *request, out outcome, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.book.observe(r, now).contest.wrote(out, now)
}
