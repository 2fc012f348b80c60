package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string // "" means no error
	}{
		{name: "defaults"},
		{name: "some steps", args: []string{"-steps", "cut,spread", "-runs", "3"}},
		{name: "no run", args: []string{"-runs", "0"}, want: "runs 0: want at least 1"},
		{name: "no time", args: []string{"-busy", "-1s"}, want: "busy -1s: want at least 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.args)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// What a node that left had must move, and what is new does not count.
func TestMoved(t *testing.T) {
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::1")
	before := map[netip.Addr]string{a: "node1", b: "node4"}
	tests := []struct {
		name         string
		after        map[netip.Addr]string
		want, others int
	}{
		{name: "nothing", after: before},
		{name: "a new one", after: map[netip.Addr]string{a: "node1", b: "node4", c: "node2"}},
		{name: "of the node that left", after: map[netip.Addr]string{a: "node1", b: "node2"}, want: 1},
		{name: "both", after: map[netip.Addr]string{a: "node2", b: "node1"}, want: 2, others: 1},
		{name: "lost", after: map[netip.Addr]string{b: "node4"}, want: 1, others: 1},
	}
	for _, tt := range tests {
		if got := moved(before, tt.after, nil); got != tt.want {
			t.Errorf("%s: %d moved, want %d", tt.name, got, tt.want)
		}
		left := func(node string) bool { return node == "node4" }
		if got := moved(before, tt.after, left); got != tt.others {
			t.Errorf("%s: %d others moved, want %d", tt.name, got, tt.others)
		}
	}
}

// Law: the pools of a run are disjoint.
func TestFreshPools(t *testing.T) {
	var seen []netip.Prefix
	for i := range maxPools {
		for _, p := range prefixes(i + 1) {
			for _, other := range seen {
				if p.Overlaps(other) {
					t.Fatalf("%s overlaps %s", p, other)
				}
			}
			seen = append(seen, p)
		}
	}
}
