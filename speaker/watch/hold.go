package watch

import (
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// How long newly won addresses are held back.
const (
	// lossHold is for the loss of every other speaker. It is longer than the
	// others need to contradict a false alarm, such as that of a machine that
	// was paused and wakes up with all its timers expired.
	lossHold = 300 * time.Millisecond
	// returnHold is for the return of a link while no other speaker is known
	// to be alive. It is as long as members need to find each other again.
	returnHold = time.Second
	// settleHold is for what remains to be learned once another speaker has
	// been reached, or a link came back before any speaker was missed.
	settleHold = 100 * time.Millisecond
)

// A hold keeps a node that was cut off from answering for everything.
//
// Cut off, a node sees no other speaker alive and so wins every election. That
// is right when the others are dead, and wrong when its own cable was pulled:
// the moment the cable is put back it would answer beside those who took its
// addresses over. So after the loss of all others, and after the return of a
// link, an address that is not announced already is held back until another
// speaker is reached, or a bounded time has passed and the node is alone
// indeed. What is announced is never taken away by a hold, and where no other
// speaker is expected, as in a cluster of one node, nothing is held back.
//
// A hold is pure: time comes with the surroundings. The zero hold has seen
// nothing; its first pass holds nothing back, because the speaker has looked
// for the others before it.
type hold struct {
	seen   bool
	until  time.Time
	others int
	links  map[string]bool // whether it is usable, for all that ever were
	// announced has the interfaces of every address that the last pass allowed.
	announced map[netip.Addr][]string
}

// Surroundings are what a hold looks at.
type surroundings struct {
	now time.Time
	// others is how many other speakers are alive, expected how many there
	// should be.
	others, expected int
	links            []desired.Link
}

// pass returns what of want may be announced now, and where: an address that
// is announced on some interfaces may still be new on another. When something
// is held back, release is when to pass again at the latest; it is zero
// otherwise.
func (h *hold) pass(s surroundings, want []desired.Layer2Address) (allowed []desired.Layer2Address, release time.Time) {
	h.observe(s)
	holding := s.now.Before(h.until)
	announced := make(map[netip.Addr][]string, len(want))
	for _, a := range want {
		if holding {
			old := common(a.Interfaces, h.announced[a.Address])
			if len(old) < len(a.Interfaces) {
				release = h.until
			}
			a.Interfaces = old
		}
		if len(a.Interfaces) > 0 {
			announced[a.Address] = a.Interfaces
			allowed = append(allowed, a)
		}
	}
	h.announced = announced
	return allowed, release
}

// common returns those of names that are among others, and names itself when
// that is all of them.
func common(names, others []string) []string {
	missing := func(name string) bool { return !slices.Contains(others, name) }
	if !slices.ContainsFunc(names, missing) {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), missing)
}

// observe compares the surroundings with the last ones and begins or ends a
// hold.
func (h *hold) observe(s surroundings) {
	first, lost := !h.seen, h.others > 0 && s.others == 0
	reached := h.others == 0 && s.others > 0
	returned := h.follow(s.links)
	h.seen, h.others = true, s.others
	switch {
	case first:
	case reached: // ends a longer hold, too
		h.until = s.now.Add(settleHold)
	case returned && s.others > 0:
		h.extend(s.now.Add(settleHold))
	case returned && s.expected > 0:
		h.extend(s.now.Add(returnHold))
	case lost:
		h.extend(s.now.Add(lossHold))
	}
}

// extend puts the end of the hold to t, if it is not later already.
func (h *hold) extend(t time.Time) {
	if h.until.Before(t) {
		h.until = t
	}
}

// follow remembers the links and reports whether one came back: it is usable,
// was not at the last pass, and either was so before or is the first there is.
// A link never seen before beside one that works is nothing of the kind.
func (h *hold) follow(links []desired.Link) (returned bool) {
	before := h.usable()
	now := make(map[string]bool, len(links))
	for i := range links {
		if usable(&links[i]) {
			now[links[i].Name] = true
		}
	}
	for name := range now {
		was, known := h.links[name]
		if !was && (known || before == 0) {
			returned = true
		}
	}
	for name := range h.links { // those that are not usable now are still known
		if !now[name] {
			now[name] = false
		}
	}
	h.links = now
	return returned
}

// usable counts the links that were usable at the last pass.
func (h *hold) usable() int {
	n := 0
	for _, up := range h.links {
		if up {
			n++
		}
	}
	return n
}

// usable reports whether a link is up and has an address of more than the
// link's own scope; the ends of pods' cables have none.
func usable(l *desired.Link) bool {
	if !l.Up {
		return false
	}
	for _, p := range l.Prefixes {
		if !p.Addr().IsLinkLocalUnicast() {
			return true
		}
	}
	return false
}
