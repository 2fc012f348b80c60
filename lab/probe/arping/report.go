package arping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one claim and when it came, since the start of the run.
type Event struct {
	At    time.Duration
	Claim Claim
}

// Report is what a run saw. Times within it are milliseconds since its start.
type Report struct {
	Target    string `json:"target"`
	Interface string `json:"interface"`
	// Asked names the hosts that were asked each alone; empty when everybody
	// was asked at once.
	Asked   []string  `json:"asked,omitempty"`
	Started time.Time `json:"started"`
	EveryMs float64   `json:"everyMs"`
	ForMs   float64   `json:"forMs"`

	// Rounds is how often was asked; SilentRounds of them nobody answered,
	// DoubleRounds of them two or more did.
	Rounds       int `json:"rounds"`
	SilentRounds int `json:"silentRounds"`
	DoubleRounds int `json:"doubleRounds"`
	// OverlapMs is how long two or more answered: DoubleRounds times EveryMs.
	OverlapMs float64 `json:"overlapMs"`
	// LongestSilenceMs is the longest time from an answer to the next one, from
	// whomever.
	LongestSilenceMs float64 `json:"longestSilenceMs"`
	// SilentAtEndMs is the time from the last answer (or the start) to the last
	// question; 0 when that was answered.
	SilentAtEndMs float64 `json:"silentAtEndMs"`

	// Responders are all that claimed the address, first to answer first.
	Responders []Responder `json:"responders"`
	// Answers is every claim in the order it came.
	Answers []Answer `json:"answers"`
}

// Responder is one link-layer address that claimed the address.
type Responder struct {
	MAC  string `json:"mac"`
	Host string `json:"host,omitempty"`
	// Answers and Announcements count its claims by kind. FirstMs and LastMs
	// are about both.
	Answers       int     `json:"answers"`
	Announcements int     `json:"announcements"`
	FirstMs       float64 `json:"firstMs"`
	LastMs        float64 `json:"lastMs"`
}

// Answer is one claim.
type Answer struct {
	AtMs float64 `json:"atMs"`
	MAC  string  `json:"mac"`
	Host string  `json:"host,omitempty"`
	Kind Kind    `json:"kind"`
	// SourceMAC is who sent the frame, when that is not MAC.
	SourceMAC string `json:"sourceMac,omitempty"`
	// Round is the question that it answered, from 0; nil for announcements.
	Round *int `json:"round,omitempty"`
}

// Summarize makes the report of a run. asked holds when each round was asked,
// events are in the order they came, names are the hosts' names by link-layer
// address. The caller fills in what was asked of whom.
func Summarize(every time.Duration, asked []time.Duration, events []Event, names map[string]string) *Report {
	r := &Report{
		EveryMs: ms(every), Rounds: len(asked),
		Responders: []Responder{}, Answers: []Answer{},
	}
	round := 0
	who := make([]map[string]bool, len(asked))
	last := time.Duration(-1)
	for _, e := range events {
		a := Answer{AtMs: ms(e.At), MAC: e.Claim.MAC.String(), Kind: e.Claim.Kind}
		a.Host = names[a.MAC]
		if s := e.Claim.Source.String(); s != a.MAC {
			a.SourceMAC = s
		}
		if a.Kind == Solicited && len(asked) > 0 {
			for round+1 < len(asked) && asked[round+1] <= e.At {
				round++
			}
			n := round
			a.Round = &n
			if who[n] == nil {
				who[n] = map[string]bool{}
			}
			who[n][a.MAC] = true
			if last >= 0 {
				r.LongestSilenceMs = max(r.LongestSilenceMs, ms(e.At-last))
			}
			last = e.At
		}
		r.Answers = append(r.Answers, a)
		r.add(a)
	}
	if len(asked) > 0 {
		r.SilentAtEndMs = ms(max(0, asked[len(asked)-1]-max(0, last)))
	}
	r.rounds(who)
	slices.SortStableFunc(r.Responders, func(a, b Responder) int { return cmp.Compare(a.FirstMs, b.FirstMs) })
	return r
}

// rounds counts what became of the questions; who holds the link-layer
// addresses that answered each.
func (r *Report) rounds(who []map[string]bool) {
	for _, w := range who {
		switch {
		case len(w) == 0:
			r.SilentRounds++
		case len(w) > 1:
			r.DoubleRounds++
		}
	}
	r.OverlapMs = float64(r.DoubleRounds) * r.EveryMs
}

// add counts a for its responder.
func (r *Report) add(a Answer) {
	i := slices.IndexFunc(r.Responders, func(x Responder) bool { return x.MAC == a.MAC })
	if i < 0 {
		i = len(r.Responders)
		r.Responders = append(r.Responders, Responder{MAC: a.MAC, Host: a.Host, FirstMs: a.AtMs})
	}
	p := &r.Responders[i]
	p.LastMs = a.AtMs
	if a.Kind == Solicited {
		p.Answers++
	} else {
		p.Announcements++
	}
}

// Text returns r as lines for people.
func (r *Report) Text() string {
	var b strings.Builder
	whom := "everybody"
	if len(r.Asked) > 0 {
		whom = strings.Join(r.Asked, ", ") + ", each alone"
	}
	fmt.Fprintf(&b, "who has %s? asked %s %d times on %s: %d rounds silent, %d with two or more answers\n",
		r.Target, whom, r.Rounds, r.Interface, r.SilentRounds, r.DoubleRounds)
	for _, p := range r.Responders {
		host := p.Host
		if host == "" {
			host = "(no host of the lab)"
		}
		fmt.Fprintf(&b, "%s %s: %d answers, %d announcements, from %.1f to %.1f ms\n",
			p.MAC, host, p.Answers, p.Announcements, p.FirstMs, p.LastMs)
	}
	if len(r.Responders) == 0 {
		fmt.Fprintf(&b, "nobody answered\n")
	}
	if r.Rounds > 1 {
		fmt.Fprintf(&b, "longest silence %.1f ms, overlap %.1f ms, silent at the end %.1f ms\n",
			r.LongestSilenceMs, r.OverlapMs, r.SilentAtEndMs)
	}
	return b.String()
}

// ms returns d in milliseconds, rounded to a microsecond.
func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
