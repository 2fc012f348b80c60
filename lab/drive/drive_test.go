package drive_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/probe/arping"
)

func TestAt(t *testing.T) {
	tests := []struct {
		name, prefix string
		n            int
		want         string
	}{
		{name: "ipv4", prefix: "172.30.1.0/24", n: 254, want: "172.30.1.254"},
		{name: "ipv4 beyond a byte", prefix: "198.18.0.0/15", n: 65536 + 515, want: "198.19.2.3"},
		{name: "ipv6", prefix: "fd30:1::/64", n: 11, want: "fd30:1::11"},
		{name: "ipv6, three digits", prefix: "fd30:1::/64", n: 254, want: "fd30:1::254"},
		{name: "ipv6, five digits", prefix: "fd30:1::/64", n: 12345, want: "fd30:1::1:2345"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := drive.At(netip.MustParsePrefix(tt.prefix), tt.n); got != netip.MustParseAddr(tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Announcements are not answers, and so do not move an address.
func TestMoves(t *testing.T) {
	answer := func(mac string) arping.Answer { return arping.Answer{MAC: mac, Kind: arping.Solicited} }
	tests := []struct {
		name    string
		answers []arping.Answer
		want    int
	}{
		{name: "nobody"},
		{name: "one", answers: []arping.Answer{answer("a"), answer("a")}},
		{name: "there and back", answers: []arping.Answer{answer("a"), answer("b"), answer("b"), answer("a")}, want: 2},
		{name: "announced only", answers: []arping.Answer{answer("a"), {MAC: "b", Kind: arping.Unsolicited}, answer("a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := drive.Moves(&arping.Report{Answers: tt.answers}); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestLossy(t *testing.T) {
	at := func(ms float64, reason string) probe.Answer { return probe.Answer{AtMs: ms, Reason: reason} }
	tests := []struct {
		name    string
		answers []probe.Answer
		want    time.Duration
	}{
		{name: "nothing"},
		{name: "all good", answers: []probe.Answer{at(0, ""), at(10, "")}},
		{name: "one", answers: []probe.Answer{at(0, ""), at(10, "timeout"), at(20, "")}},
		{name: "good ones between", answers: []probe.Answer{at(10, "timeout"), at(20, ""), at(35, "reset"), at(50, "")}, want: 25 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := drive.Lossy(&probe.Report{Answers: tt.answers}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// One move cuts what is under way in its moment, and nothing else.
func TestBreaks(t *testing.T) {
	at := func(ms, took float64, reason string) probe.Answer {
		return probe.Answer{AtMs: ms, TookMs: took, Reason: reason}
	}
	const reset = probe.Reset
	tests := []struct {
		name    string
		answers []probe.Answer
		want    []int
	}{
		{name: "all good", answers: []probe.Answer{at(0, 2, ""), at(10, 2, "")}},
		{name: "one", answers: []probe.Answer{at(0, 2, ""), at(10, 2, reset), at(20, 2, "")}, want: []int{1}},
		{name: "two at one instant", answers: []probe.Answer{at(0, 18, reset), at(15, 3, reset)}, want: []int{2}},
		{name: "a good one between", answers: []probe.Answer{at(0, 25, reset), at(10, 2, ""), at(20, 5, reset)}, want: []int{2}},
		{name: "two after each other", answers: []probe.Answer{at(0, 9, reset), at(10, 3, reset)}, want: []int{1, 1}},
		{name: "a chain without an instant", answers: []probe.Answer{at(0, 12, reset), at(10, 12, reset), at(20, 5, reset)}, want: []int{2, 1}},
		{name: "in the dark", answers: []probe.Answer{at(0, 1000, "timeout"), at(10, 1000, "timeout")}, want: []int{1, 1}},
		{name: "dark, then cut", answers: []probe.Answer{at(0, 1000, "timeout"), at(10, 3, reset)}, want: []int{1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			for _, b := range drive.Breaks(&probe.Report{Answers: tt.answers}) {
				got = append(got, len(b))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
