package arping

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	macA  = mac("02:00:00:00:00:0a")
	macB  = mac("02:00:00:00:00:0b")
	names = map[string]string{macA.String(): "node1", macB.String(): "node2"}
)

// dur returns a duration of so many milliseconds.
func dur(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// answered returns an answer of m at a time.
func answered(at float64, m net.HardwareAddr) Event {
	return Event{At: dur(at), Claim: Claim{Kind: Solicited, MAC: m, Source: m}}
}

// announced returns an announcement of m at a time.
func announced(at float64, m net.HardwareAddr) Event {
	return Event{At: dur(at), Claim: Claim{Kind: Unsolicited, MAC: m, Source: m}}
}

func TestSummarize(t *testing.T) {
	tests := []struct {
		name   string
		asked  int
		events []Event
		want   Report
	}{
		{name: "never asked"},
		{
			name: "nobody", asked: 3,
			want: Report{Rounds: 3, SilentRounds: 3, SilentAtEndMs: 20},
		},
		{
			name: "one, always", asked: 3,
			events: []Event{answered(1, macA), answered(11, macA), answered(21, macA)},
			want: Report{
				Rounds: 3, LongestSilenceMs: 10,
				Responders: []Responder{{MAC: macA.String(), Host: "node1", Answers: 3, FirstMs: 1, LastMs: 21}},
			},
		},
		{
			name: "handover with a silence, and an announcement in it", asked: 6,
			events: []Event{answered(1, macA), announced(35, macB), answered(41, macB), answered(51, macB)},
			want: Report{
				Rounds: 6, SilentRounds: 3, LongestSilenceMs: 40,
				Responders: []Responder{
					{MAC: macA.String(), Host: "node1", Answers: 1, FirstMs: 1, LastMs: 1},
					{MAC: macB.String(), Host: "node2", Answers: 2, Announcements: 1, FirstMs: 35, LastMs: 51},
				},
			},
		},
		{
			name: "two for two rounds, then none", asked: 4,
			events: []Event{answered(1, macA), answered(2, macB), answered(11, macB), answered(12, macA), answered(19, macA)},
			want: Report{
				Rounds: 4, SilentRounds: 2, DoubleRounds: 2, OverlapMs: 20, LongestSilenceMs: 9, SilentAtEndMs: 11,
				Responders: []Responder{
					{MAC: macA.String(), Host: "node1", Answers: 3, FirstMs: 1, LastMs: 19},
					{MAC: macB.String(), Host: "node2", Answers: 2, FirstMs: 2, LastMs: 11},
				},
			},
		},
		{
			name: "one that answers twice is no overlap", asked: 1,
			events: []Event{answered(1, macA), answered(2, macA)},
			want: Report{
				Rounds: 1, LongestSilenceMs: 1,
				Responders: []Responder{{MAC: macA.String(), Host: "node1", Answers: 2, FirstMs: 1, LastMs: 2}},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []time.Duration
			for i := range tt.asked {
				asked = append(asked, dur(float64(10*i)))
			}
			tt.want.EveryMs = 10
			got := Summarize(dur(10), asked, tt.events, names)
			opts := cmp.Options{cmpopts.IgnoreFields(Report{}, "Answers"), cmpopts.EquateEmpty()}
			if diff := cmp.Diff(&tt.want, got, opts); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if len(got.Answers) != len(tt.events) {
				t.Errorf("%d answers, want %d", len(got.Answers), len(tt.events))
			}
		})
	}
}

func TestSummarizeAnswers(t *testing.T) {
	two := 2
	odd := Event{At: dur(25), Claim: Claim{Kind: Solicited, MAC: macA, Source: macB}}
	got := Summarize(dur(10), []time.Duration{0, dur(10), dur(20)}, []Event{announced(5, macB), odd}, nil)
	want := []Answer{
		{AtMs: 5, MAC: macB.String(), Kind: Unsolicited},
		{AtMs: 25, MAC: macA.String(), Kind: Solicited, SourceMAC: macB.String(), Round: &two},
	}
	if diff := cmp.Diff(want, got.Answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	r := Summarize(dur(10), []time.Duration{0, dur(10)}, []Event{answered(1, macA), answered(11, mac("02:00:00:00:00:0c"))}, names)
	r.Target, r.Interface = "10.0.0.1", "eth0"
	want := `who has 10.0.0.1? asked everybody 2 times on eth0: 0 rounds silent, 0 with two or more answers
02:00:00:00:00:0a node1: 1 answers, 0 announcements, from 1.0 to 1.0 ms
02:00:00:00:00:0c (no host of the lab): 1 answers, 0 announcements, from 11.0 to 11.0 ms
longest silence 10.0 ms, overlap 0.0 ms, silent at the end 0.0 ms
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
