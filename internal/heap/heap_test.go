package heap_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heraldlb/herald/internal/heap"
)

type job struct {
	heap.Place
	due int
}

func (j *job) Before(other *job) bool { return j.due < other.due }

// Whatever is done to a heap, its first item is one that is due first.
func TestModelFirst(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var h heap.Heap[*job]
		jobs := make([]*job, 1+r.IntN(20))
		for i := range jobs {
			jobs[i] = &job{due: r.IntN(10)}
		}
		in := map[*job]bool{}
		for step := range 300 {
			j := jobs[r.IntN(len(jobs))]
			switch r.IntN(4) {
			case 0, 1:
				j.due = r.IntN(10)
				h.Put(j)
				in[j] = true
			case 2:
				h.Take(j)
				delete(in, j)
			default:
				for j := range h.All() {
					j.due = r.IntN(10)
				}
				h.Reorder()
			}
			check(t, &h, jobs, in)
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
	}
}

// check compares a heap with the set of the jobs that are in it.
func check(t *testing.T, h *heap.Heap[*job], jobs []*job, in map[*job]bool) {
	t.Helper()
	if n := len(slices.Collect(h.All())); n != len(in) {
		t.Errorf("%d items, want %d", n, len(in))
	}
	first, ok := h.First()
	if ok != (len(in) > 0) {
		t.Errorf("first: %v with %d items", ok, len(in))
	}
	for _, j := range jobs {
		if j.Placed() != in[j] {
			t.Errorf("placed: %v, want %v", j.Placed(), in[j])
		}
		if in[j] && j.due < first.due {
			t.Errorf("first is due at %d, another at %d", first.due, j.due)
		}
	}
}
