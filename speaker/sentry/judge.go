package sentry

import (
	"maps"
	"slices"
	"time"
)

const (
	// silentPause is between two questions to a silent node.
	silentPause = 100 * time.Millisecond
	// excusedPauseMax bounds the pauses between questions to an excused node,
	// which begin with a detection time and double.
	excusedPauseMax = 10 * time.Second
	// provePause is between two questions to a node that is up and has not
	// answered any.
	provePause = 10 * time.Second
	// tenure is how long a node may be silent. Members bury a dead node much
	// earlier; when they have not by then, others still reach it.
	tenure = 5 * time.Second
)

// A judge decides which nodes are silent. It is pure: it is told what happened
// and when, and leaves questions to be asked and changes to be made known.
//
//	Waiting --up--> Up --expired--> Confirming --unanswered--> Silent
//	                 |                ^     |                    |
//	          (own stall) Down -------+  answered: Excused <--answered
//
// In any state a packet of a session that is not up leads to Waiting, and so do
// a session that is closed in good order, and a question that cannot be asked.
type judge struct {
	// interval is that of BFD packets, and detection its detection time.
	interval, detection time.Duration
	// last is the last time that the judge was told anything. It is told
	// something every interval, so a gap means that this process stood still.
	last time.Time
	// distrust is until when nobody is accused after that.
	distrust time.Time
	nodes    map[string]*suspect

	questions []question
	changes   []change
}

// A suspect is a node that is watched.
type suspect struct {
	state state
	// proven is true once its kernel has answered: only then is no answer a
	// sign of death, and not of a port that is filtered.
	proven bool
	// serial is that of the last question; answers to others are too late.
	serial int
	// due is when to ask next; zero is never.
	due time.Time
	// pause is what an excused node gets before it is asked again.
	pause time.Duration
	// heard is when its last packet came, since when it became silent. Both are
	// set when it does.
	heard, since time.Time
}

// A question is to be asked of a node's kernel.
type question struct {
	node   string
	serial int
}

// A change is that of the state of a node. Heard is when its last packet came,
// if that is known.
type change struct {
	node     string
	from, to state
	heard    time.Time
}

// A sight is what BFD says of the session with a node.
type sight struct {
	// up: packets arrive. expired: they do not arrive any more, and nobody
	// said goodbye.
	up, expired bool
	// heard is when the last packet came, late by how much BFD's own clockwork
	// was late since then.
	heard time.Time
	late  time.Duration
}

// newJudge returns a judge that watches nobody.
func newJudge(interval time.Duration, multiplier uint8) *judge {
	return &judge{
		interval: interval, detection: interval * time.Duration(multiplier),
		nodes: map[string]*suspect{},
	}
}

// watch begins to watch nodes, and ends to watch all others. A node that is
// watched already stays what it is.
func (j *judge) watch(now time.Time, nodes []string) {
	if len(j.nodes) == 0 {
		j.last = now // nobody told it anything while it had nothing to do
	}
	j.observe(now)
	for _, n := range nodes {
		if j.nodes[n] == nil {
			j.nodes[n] = &suspect{state: stateWaiting}
		}
	}
	maps.DeleteFunc(j.nodes, func(n string, _ *suspect) bool { return !slices.Contains(nodes, n) })
}

// see takes in what BFD says of a node.
func (j *judge) see(now time.Time, node string, s sight) {
	j.observe(now)
	k := j.nodes[node]
	if k == nil {
		return
	}
	switch {
	case s.up:
		j.rise(now, node, k)
	case k.state == stateWaiting:
	case k.state == stateUp && s.expired:
		k.heard = s.heard
		k.pause = j.detection
		if s.late > j.interval {
			j.distrust = now.Add(j.detection)
		}
		j.doubt(now, node, k)
	case !s.expired || s.heard.After(k.heard):
		j.enter(node, k, stateWaiting)
	}
}

// rise has a node be up, and has its kernel be asked if it never has answered.
func (j *judge) rise(now time.Time, node string, k *suspect) {
	if k.state == stateUp {
		return
	}
	j.enter(node, k, stateUp)
	if !k.proven {
		k.due = now
	}
}

// doubt has the kernel of a node be asked, at once if this process did not
// stand still.
func (j *judge) doubt(now time.Time, node string, k *suspect) {
	if now.Before(j.distrust) {
		j.enter(node, k, stateDown)
		k.due = j.distrust
		return
	}
	j.enter(node, k, stateConfirming)
	j.ask(node, k)
}

// answer takes in what became of a question.
func (j *judge) answer(now time.Time, q question, o outcome) {
	j.observe(now)
	k := j.nodes[q.node]
	if k == nil || k.serial != q.serial {
		return
	}
	if o == outcomeAnswered {
		k.proven = true
	}
	switch {
	case k.state == stateWaiting:
	case k.state == stateUp:
		if !k.proven {
			k.due = now.Add(provePause)
		}
	case o == outcomeUnknown:
		// It is us. A link that comes back works later than it is up.
		j.enter(q.node, k, stateWaiting)
	case k.state == stateSilent && o != outcomeAnswered:
		k.due = now.Add(silentPause)
	case o == outcomeUnanswered && now.Before(j.distrust):
		// It may have answered while nobody listened.
		j.enter(q.node, k, stateDown)
		k.due = j.distrust
	case o == outcomeUnanswered && k.proven:
		k.since = now
		j.enter(q.node, k, stateSilent)
		k.due = now.Add(silentPause)
	default:
		j.enter(q.node, k, stateExcused)
		k.due = now.Add(k.pause)
		k.pause = min(2*k.pause, excusedPauseMax)
	}
}

// tick lets time pass: it is called every interval, and asks what is due.
func (j *judge) tick(now time.Time) {
	j.observe(now)
	for node, k := range j.nodes {
		if k.state == stateSilent && now.Sub(k.since) >= tenure {
			j.enter(node, k, stateWaiting)
		}
		if k.due.IsZero() || now.Before(k.due) {
			continue
		}
		k.due = time.Time{}
		if k.state == stateDown {
			j.doubt(now, node, k)
			continue
		}
		j.ask(node, k)
	}
}

// observe notices when this process has stood still. Then packets may wait to
// be read and answers to be taken, and it gives them one more detection time.
func (j *judge) observe(now time.Time) {
	if now.Sub(j.last) > 2*j.interval {
		j.distrust = now.Add(j.detection)
	}
	j.last = now
}

// enter makes a state that of a node; nothing is due then.
func (j *judge) enter(node string, k *suspect, to state) {
	k.due = time.Time{}
	if k.state != to {
		j.changes = append(j.changes, change{node: node, from: k.state, to: to, heard: k.heard})
		k.state = to
	}
}

// ask leaves a question to the kernel of a node.
func (j *judge) ask(node string, k *suspect) {
	k.serial++
	j.questions = append(j.questions, question{node: node, serial: k.serial})
}

// take returns the questions to be asked and the changes that were made since
// the last call.
func (j *judge) take() ([]question, []change) {
	q, c := j.questions, j.changes
	j.questions, j.changes = nil, nil
	return q, c
}

// silent returns the nodes that are silent, sorted.
func (j *judge) silent() []string {
	var out []string
	for node, k := range j.nodes {
		if k.state == stateSilent {
			out = append(out, node)
		}
	}
	slices.Sort(out)
	return out
}

// alone reports whether a node is silent, another one has ceased to be heard
// too, and nobody is heard any more: neither a packet nor a kernel. Packets of
// all nodes cease within an interval if it is this node that is deaf, which is
// less than it takes to ask the first one.
func (j *judge) alone() bool {
	var count [stateExcused + 1]int
	for _, k := range j.nodes {
		count[k.state]++
	}
	ceased := count[stateSilent] + count[stateConfirming] + count[stateDown]
	return count[stateSilent] > 0 && ceased > 1 && count[stateUp]+count[stateExcused] == 0
}
