package watch

import (
	"maps"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// heardFor is how long a node counts as alive after a new claim was heard that
// names it: as long as members need to find each other again.
const heardFor = time.Second

// Heard are nodes that are not known to be alive, but of which a new claim was
// heard a moment ago. When a network is whole again claims travel faster than
// the news of who is alive; whoever took such a claim for one of the dead would
// take over from a node that has just said that it is there. It is pure. The
// zero heard has heard nothing.
type heard struct {
	claims *desired.Claims
	until  map[string]time.Time
}

// own takes note of claims that this node made: they are no news.
func (h *heard) own(claims []desired.Claim) { h.claims = h.claims.With(claims...) }

// pass returns alive with those who were heard of, and when the first of them
// is forgotten; zero for never.
func (h *heard) pass(now time.Time, alive map[string]bool, claims *desired.Claims) (all map[string]bool, next time.Time) {
	if h.until == nil { // at first everything is new, and proves nothing
		h.until, h.claims = map[string]time.Time{}, claims
	}
	for addr := range claims.Changed(h.claims) {
		c := claims.Of(addr)
		if c.Epoch > h.claims.Of(addr).Epoch && c.Node != desired.Nobody && !alive[c.Node] {
			h.until[c.Node] = now.Add(heardFor)
		}
	}
	h.claims = claims
	maps.DeleteFunc(h.until, func(node string, t time.Time) bool { return alive[node] || !now.Before(t) })
	if len(h.until) == 0 {
		return alive, time.Time{}
	}
	all = maps.Clone(alive)
	for node, t := range h.until {
		all[node] = true
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	return all, next
}
