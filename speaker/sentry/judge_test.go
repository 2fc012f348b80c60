package sentry

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start is when the tests of the judge begin.
var start = time.Unix(1_000_000, 0)

// A step is what a judge is told at a time, in milliseconds since start, and
// the state of the node after it. Time passes by ticks every interval.
type step struct {
	at   int
	do   func(j *judge, now time.Time)
	want state
}

// The things a judge can be told of node "b".
func up(heard int) func(*judge, time.Time) {
	return func(j *judge, now time.Time) { j.see(now, "b", sight{up: true, heard: at(heard)}) }
}
func expired(heard int) func(*judge, time.Time) {
	return func(j *judge, now time.Time) { j.see(now, "b", sight{expired: true, heard: at(heard)}) }
}
func late(heard, late int) func(*judge, time.Time) {
	return func(j *judge, now time.Time) {
		j.see(now, "b", sight{expired: true, heard: at(heard), late: time.Duration(late) * time.Millisecond})
	}
}
func closed(heard int) func(*judge, time.Time) {
	return func(j *judge, now time.Time) { j.see(now, "b", sight{heard: at(heard)}) }
}
func tick() func(*judge, time.Time) { return (*judge).tick }

// said answers the last question.
func said(o outcome) func(*judge, time.Time) { return ago(0, o) }

// ago answers the question before the last n.
func ago(n int, o outcome) func(*judge, time.Time) {
	return func(j *judge, now time.Time) {
		if k := j.nodes["b"]; k != nil {
			j.answer(now, question{"b", k.serial - n}, o)
		}
	}
}

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// proven is how every node becomes one that can be judged.
var proven = []step{
	{0, up(0), stateUp},
	{0, tick(), stateUp},
	{1, said(outcomeAnswered), stateUp},
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
	}{
		{"never up", []step{{200, expired(0), stateWaiting}, {400, said(outcomeUnanswered), stateWaiting}}},
		{"cut off", append(proven[:3:3],
			step{1000, up(1000), stateUp},
			step{1150, expired(1000), stateConfirming},
			step{1210, said(outcomeUnanswered), stateSilent},
			step{1320, said(outcomeUnanswered), stateSilent},
			step{1400, said(outcomeAnswered), stateExcused},
			step{2000, up(2000), stateUp})},
		{"speaker dead", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1151, said(outcomeAnswered), stateExcused},
			step{1280, tick(), stateExcused},
			step{1310, tick(), stateExcused}, // asked again
			step{1370, said(outcomeUnanswered), stateSilent})},
		{"heard while asking", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1160, closed(1155), stateWaiting},
			step{1210, said(outcomeUnanswered), stateWaiting})},
		{"up while asking", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1160, up(1155), stateUp},
			step{1210, said(outcomeUnanswered), stateUp})},
		{"answer too late", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1160, up(1155), stateUp},
			step{1180, expired(1160), stateConfirming},
			step{1210, ago(1, outcomeUnanswered), stateConfirming},
			step{1240, said(outcomeUnanswered), stateSilent})},
		{"packet of a silent one", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1210, said(outcomeUnanswered), stateSilent},
			step{1250, expired(1000), stateSilent},
			step{1300, expired(1299), stateWaiting},
			step{1310, said(outcomeUnanswered), stateWaiting})},
		{"closed in good order", append(proven[:3:3],
			step{1100, closed(1100), stateWaiting}, step{1300, expired(1100), stateWaiting})},
		{"port filtered", []step{
			{0, up(0), stateUp}, {0, tick(), stateUp}, {60, said(outcomeUnanswered), stateUp},
			{1150, expired(1000), stateConfirming}, {1210, said(outcomeUnanswered), stateExcused},
			{1360, tick(), stateExcused}, {1420, said(outcomeUnanswered), stateExcused}}},
		{"no route", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1151, said(outcomeUnknown), stateWaiting},
			step{1310, expired(1000), stateWaiting})},
		{"link lost later", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1210, said(outcomeUnanswered), stateSilent},
			step{1310, said(outcomeUnknown), stateWaiting})},
		{"BFD was late", append(proven[:3:3],
			step{1200, late(1000, 60), stateDown},
			step{1300, tick(), stateDown},
			step{1350, tick(), stateConfirming},
			step{1410, said(outcomeUnanswered), stateSilent})},
		{"BFD was hardly late", append(proven[:3:3],
			step{1150, late(1000, 20), stateConfirming})},
		{"stood still", append(proven[:3:3],
			step{1000, tick(), stateUp},
			step{-1300, expired(1000), stateDown},
			step{1400, up(1390), stateUp})},
		{"stood still and dead", append(proven[:3:3],
			step{1000, tick(), stateUp},
			step{-1300, expired(1000), stateDown},
			step{1450, tick(), stateConfirming},
			step{1510, said(outcomeUnanswered), stateSilent})},
		{"stood still while asking", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{-1400, said(outcomeUnanswered), stateDown},
			step{1550, tick(), stateConfirming},
			step{1551, said(outcomeAnswered), stateExcused})},
		{"members do not agree", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1210, said(outcomeUnanswered), stateSilent},
			step{6200, tick(), stateSilent},
			step{6250, tick(), stateWaiting},
			step{6300, expired(1000), stateWaiting})},
		{"not watched any more", append(proven[:3:3],
			step{1150, expired(1000), stateConfirming},
			step{1160, func(j *judge, now time.Time) { j.watch(now, []string{"a"}) }, 0},
			step{1210, said(outcomeUnanswered), 0},
			step{1220, func(j *judge, now time.Time) { j.watch(now, []string{"a", "b"}) }, stateWaiting})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := newJudge(50*time.Millisecond, 3)
			j.watch(start, []string{"a", "b"})
			now := start
			for i, s := range tt.steps {
				until := at(max(s.at, -s.at)) // a negative time: nothing happened until then
				for s.at > 0 && until.Sub(now) > 50*time.Millisecond {
					now = now.Add(50 * time.Millisecond)
					j.tick(now)
				}
				now = until
				s.do(j, now)
				got := state(0)
				if k := j.nodes["b"]; k != nil {
					got = k.state
				}
				if got != s.want {
					t.Fatalf("step %d, at %d ms: %v, want %v", i+1, s.at, got, s.want)
				}
			}
		})
	}
}

// A silent node is asked every 100 ms, an excused one ever less often.
func TestJudgeAsksAgain(t *testing.T) {
	tests := []struct {
		name string
		says outcome
		want string
	}{
		{"silent", outcomeUnanswered, "150 250 350 450 550 650 750 850 950"},
		{"excused", outcomeAnswered, "150 300 600 1200 2400 4800 9600 19200 29200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := newJudge(50*time.Millisecond, 3)
			j.watch(start, []string{"b"})
			for _, s := range proven {
				s.do(j, at(s.at))
			}
			j.take()
			var asked []string
			for ms := 50; len(asked) < 9 && ms < 60_000; ms += 50 {
				j.tick(at(ms))
				if ms == 150 {
					j.see(at(ms), "b", sight{expired: true, heard: at(0)})
				}
				questions, _ := j.take()
				for _, q := range questions {
					asked = append(asked, fmt.Sprint(ms))
					j.answer(at(ms), q, tt.says)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(asked, " ")); diff != "" {
				t.Errorf("asked at (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever happens in whatever order: a node is only silent while the last
// answer to a question that was asked after its last packet was none, it was
// proven before, and the judge did not stand still in between.
func TestJudgeLaws(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		j := newJudge(50*time.Millisecond, 3)
		now := start
		j.watch(now, []string{"b"})
		answered := false
		for range 60 {
			pause := time.Duration(r.IntN(60)) * time.Millisecond
			if r.IntN(15) == 0 {
				pause = time.Duration(150+r.IntN(300)) * time.Millisecond
			}
			stood := pause > 100*time.Millisecond
			now = now.Add(pause)
			before := j.nodes["b"].state
			heard := now
			o := outcome(1 + r.IntN(3))
			switch r.IntN(6) {
			case 0:
				up(0)(j, now)
			case 1:
				j.see(now, "b", sight{heard: heard})
			case 2, 3:
				j.see(now, "b", sight{expired: true, heard: now.Add(-150 * time.Millisecond)})
			case 4:
				j.tick(now)
			default:
				said(o)(j, now)
				answered = answered || o == outcomeAnswered
			}
			if after := j.nodes["b"].state; after == stateSilent && before != stateSilent {
				if o != outcomeUnanswered || stood || !answered || before == stateUp || before == stateWaiting {
					t.Fatalf("silent after %v: outcome %v, stood still %v, answered before %v", before, o, stood, answered)
				}
			}
		}
	}
}
