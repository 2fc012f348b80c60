package members

import (
	"time"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// echoPauses are between the times at which what this speaker says is told to
// all members again: 0.25, 1 and 3 s after the first. A link that goes down and
// comes back within less than a second swallows the first packets and all of the
// gossip, and nobody is taken for dead, so nobody is met anew either.
var echoPauses = [...]time.Duration{250 * time.Millisecond, 750 * time.Millisecond, 2 * time.Second}

// echoGrain is within how long what is said is told again together.
const echoGrain = 50 * time.Millisecond

// echoes are what this speaker has said and tells again. Their number is bounded
// by echoGrain. They are pure; the zero value is empty.
type echoes struct {
	list []echo
}

// An echo is what is told again when it is due, the round-th time.
type echo struct {
	due   time.Time
	round int
	news  ledger.News
}

// add takes note of what is told for the first time now.
func (e *echoes) add(n ledger.News, now time.Time) { e.plan(n, 0, now) }

// plan has news told again after the pause of a round, if there is such a round.
func (e *echoes) plan(n ledger.News, round int, now time.Time) {
	if n.Empty() || round == len(echoPauses) {
		return
	}
	due := now.Add(echoPauses[round])
	for i := range e.list {
		if o := &e.list[i]; o.round == round && due.Sub(o.due) < echoGrain {
			o.news.Claims = append(o.news.Claims, n.Claims...)
			o.news.Records = append(o.news.Records, n.Records...)
			return
		}
	}
	e.list = append(e.list, echo{due: due, round: round, news: ledger.News{
		Claims: append([]desired.Claim(nil), n.Claims...), Records: append([]ledger.Record(nil), n.Records...),
	}})
}

// take returns what is due, and plans the next round of it. What is not the
// latest any more is dropped: who said something better tells that.
func (e *echoes) take(now time.Time, known *ledger.Ledger) ledger.News {
	var out ledger.News
	list := e.list
	e.list = nil
	for _, o := range list {
		if o.due.After(now) {
			e.list = append(e.list, o)
			continue
		}
		n := latest(o.news, known)
		out.Claims, out.Records = append(out.Claims, n.Claims...), append(out.Records, n.Records...)
		e.plan(n, o.round+1, now)
	}
	return out
}

// latest returns those of the news that nothing newer is known than.
func latest(n ledger.News, known *ledger.Ledger) ledger.News {
	var out ledger.News
	for _, c := range n.Claims {
		if known.Claims().Of(c.Address) == c {
			out.Claims = append(out.Claims, c)
		}
	}
	for _, r := range n.Records {
		if known.Records()[r.Node].Version == r.Version {
			out.Records = append(out.Records, r)
		}
	}
	return out
}

// wait returns how long it is until something is due; ok is false if nothing is.
func (e *echoes) wait(now time.Time) (d time.Duration, ok bool) {
	for i, o := range e.list {
		if left := max(0, o.due.Sub(now)); i == 0 || left < d {
			d = left
		}
	}
	return d, len(e.list) > 0
}
