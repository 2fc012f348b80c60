package sentry

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/bfd"
)

// A post is a Sentry that runs: what one goroutine owns between the BFD
// sessions, the kernels that are asked, and the judge.
type post struct {
	*Sentry
	judge   *judge
	watched map[string]netip.Addr
	deaf    map[string]bool // of which an operator has been told

	answers chan answer
	asked   sync.WaitGroup // questions that are being asked
}

// An answer is what became of a question.
type answer struct {
	question
	outcome outcome
}

// newPost returns a post that watches nobody.
func newPost(s *Sentry) *post {
	return &post{
		Sentry:  s,
		judge:   newJudge(s.config.Interval, s.config.Multiplier),
		deaf:    map[string]bool{},
		answers: make(chan answer),
	}
}

// run watches until ctx or BFD has ended.
func (p *post) run(ctx context.Context, ended <-chan struct{}) {
	clock := time.NewTicker(p.config.Interval)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-p.wakeC:
			p.follow(ctx)
		case <-p.watcher.Changed():
			p.look()
		case a := <-p.answers:
			p.hear(a)
		case <-clock.C:
			p.judge.tick(time.Now())
		}
		p.act(ctx)
	}
}

// follow watches those whom the plan for the present members says.
func (p *post) follow(ctx context.Context) {
	want := p.plan()
	now := time.Now()
	var same, all []string
	sessions := make([]bfd.Session, 0, len(want))
	for node, addr := range want {
		all = append(all, node)
		if p.watched[node] == addr {
			same = append(same, node)
		}
		sessions = append(sessions, p.session(node, addr))
	}
	for node := range p.watched {
		if _, ok := want[node]; !ok {
			p.metrics.forget(node)
			delete(p.deaf, node)
		}
	}
	p.judge.watch(now, same) // one with another address is another one
	p.judge.watch(now, all)
	p.watched = want
	for node := range want {
		p.metrics.show(node, p.judge.nodes[node].state)
	}
	if err := p.watcher.Set(ctx, sessions); err != nil && ctx.Err() == nil {
		level.Warn(p.logger).Log("msg", "members not watched, will retry", "error", err)
	}
	p.look()
}

// look tells the judge how the sessions are.
func (p *post) look() {
	now := time.Now()
	for _, s := range p.watcher.Status() {
		if p.watched[s.Session.Name] == s.Session.Remote {
			p.judge.see(now, s.Session.Name, sight{
				up:      s.State == bfd.Up,
				expired: s.State == bfd.Down && s.Diagnostic == bfd.DetectionTimeExpired,
				heard:   s.LastReceived, late: s.Late,
			})
		}
	}
}

// hear tells the judge what became of a question.
func (p *post) hear(a answer) {
	p.metrics.confirmations.WithLabelValues(a.outcome.String()).Inc()
	p.judge.answer(time.Now(), a.question, a.outcome)
	k := p.judge.nodes[a.node]
	if k == nil || k.state != stateUp || k.proven || a.outcome != outcomeUnanswered || p.deaf[a.node] {
		return
	}
	p.deaf[a.node] = true
	level.Warn(p.logger).Log("msg", "gossip port does not answer by TCP, is it filtered? slow failure detection",
		"member", a.node, "reason", a.outcome)
}

// act does what the judge wants done.
func (p *post) act(ctx context.Context) {
	questions, changes := p.judge.take()
	p.publish(view{silent: p.judge.silent(), alone: p.judge.alone()})
	for _, q := range questions {
		remote := netip.AddrPortFrom(p.watched[q.node], uint16(p.config.Port))
		p.asked.Go(func() {
			a := answer{question: q, outcome: p.ask(p.config.Addr, remote)}
			select {
			case p.answers <- a:
			case <-ctx.Done():
			}
		})
	}
	for _, c := range changes {
		p.metrics.show(c.node, c.to)
		p.tell(c)
	}
}

// tell logs a change and measures it.
func (p *post) tell(c change) {
	switch {
	case c.to == stateSilent:
		took := time.Since(c.heard)
		p.metrics.detection.Observe(took.Seconds())
		level.Info(p.logger).Log("msg", "member silent", "member", c.node, "duration", took)
	case c.from == stateSilent:
		level.Info(p.logger).Log("msg", "member not silent any more", "member", c.node, "reason", c.to)
	default:
		level.Debug(p.logger).Log("msg", "watched member", "member", c.node, "reason", c.to)
	}
}
