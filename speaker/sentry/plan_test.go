package sentry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cluster returns n names, as clusters have them.
func cluster(r *rand.Rand, n int) []string {
	pattern := []string{"worker-%d", "ip-10-0-%d.example", "node%03d", "n-%x"}[r.IntN(4)]
	first := r.IntN(1000)
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(pattern, first+i))
	}
	r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// A pair of nodes with a session; the lesser name is first.
type pair [2]string

// pairs returns the sessions of a cluster, and how many each node has. It fails
// the test if the two ends of one do not agree.
func pairs(t *testing.T, nodes []string) (map[pair]bool, map[string]int) {
	t.Helper()
	ends, sessions, count := map[pair]int{}, map[pair]bool{}, map[string]int{}
	for _, n := range nodes {
		for _, f := range fellows(n, nodes) {
			p := pair{min(n, f), max(n, f)}
			ends[p]++
			sessions[p] = true
			count[n]++
		}
	}
	for p, n := range ends {
		if n != 2 || p[0] == p[1] {
			t.Errorf("session %v has %d ends, want two of two nodes", p, n)
		}
	}
	return sessions, count
}

// Every session has two ends; every node is watched by four others or all there
// are; and nobody has many sessions.
func TestPlan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{1, 2, 3, 5, 9, 10, 11, 30, 100, 200} {
		nodes := cluster(r, n)
		sessions, count := pairs(t, nodes)
		most := 0
		for _, node := range nodes {
			if count[node] < min(deputyCount, n-1) {
				t.Errorf("%d nodes: %s is watched by %d, want %d at least", n, node, count[node], min(deputyCount, n-1))
			}
			most = max(most, count[node])
		}
		if n <= meshSize+1 && len(sessions) != n*(n-1)/2 {
			t.Errorf("%d nodes: %d sessions, want a full mesh", n, len(sessions))
		}
		if most > 24 || len(sessions) > max(deputyCount*n, meshSize*n/2) {
			t.Errorf("%d nodes: %d sessions, %d of one node", n, len(sessions), most)
		}
	}
}

// The order of the names does not matter, and a node that is not named watches
// nobody.
func TestPlanOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	nodes := cluster(r, 40)
	want := fellows(nodes[7], nodes)
	slices.Sort(want)
	for range 5 {
		other := slices.Clone(nodes)
		r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		got := fellows(nodes[7], other)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("fellows in another order (-want +got):\n%s", diff)
		}
	}
	if got := fellows("stranger", nodes); got != nil {
		t.Errorf("fellows of a stranger: %v", got)
	}
}

// A node that joins a cluster with deputies takes at most one session from each
// node that it becomes a deputy of, and makes none between others; one that
// leaves does the reverse.
func TestPlanChanges(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		nodes := cluster(r, meshSize+3+r.IntN(60))
		joined := nodes[0]
		after, count := pairs(t, nodes)
		before, _ := pairs(t, nodes[1:])
		lost := 0
		for p := range before {
			if !after[p] {
				lost++
			}
		}
		for p := range after {
			if !before[p] && p[0] != joined && p[1] != joined {
				t.Errorf("%d nodes: %s joined, and there is a new session %v", len(nodes), joined, p)
			}
		}
		if lost > count[joined] {
			t.Errorf("%d nodes: %s has %d sessions, and %d others are gone", len(nodes), joined, count[joined], lost)
		}
	}
}

// Speakers of different versions must agree.
func TestPlanPinned(t *testing.T) {
	var nodes []string
	for i := range 20 {
		nodes = append(nodes, fmt.Sprintf("node-%d", i))
	}
	if diff := cmp.Diff(pinned, fellows("node-3", nodes)); diff != "" {
		t.Errorf("fellows (-want +got):\n%s", diff)
	}
}

var pinned = []string{"node-2", "node-9", "node-10", "node-11", "node-14", "node-17"}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			nodes := cluster(rand.New(rand.NewPCG(1, 1)), n)
			for b.Loop() {
				fellows(nodes[0], nodes)
			}
		})
	}
}
