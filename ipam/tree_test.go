package ipam

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/heraldlb/herald/internal/iprange"
)

// A tree answers as a map with sorted keys does, is balanced after every
// change, and every node's value sums up its subtree.
func TestTreeLaw(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		tr := tree[int, [2]int]{compare: cmp.Compare[int], pull: sum}
		model := map[int]int{}
		for range 600 {
			k := random.IntN(120)
			if _, ok := model[k]; ok {
				tr.remove(k)
				delete(model, k)
			} else {
				tr.insert(k, [2]int{k * 3})
				model[k] = k * 3
			}
			if err := checkNode(tr.root); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			checkAgainst(t, &tr, model, random.IntN(120))
		}
	}
}

// sum keeps in value[1] the sum of value[0] over a subtree.
func sum(n *node[int, [2]int]) {
	n.value[1] = n.value[0]
	for _, c := range []*node[int, [2]int]{n.left, n.right} {
		if c != nil {
			n.value[1] += c.value[1]
		}
	}
}

func checkAgainst(t *testing.T, tr *tree[int, [2]int], model map[int]int, k int) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(model))
	var got []int
	total := 0
	tr.root.each(func(n *node[int, [2]int]) { got = append(got, n.key); total += n.value[0] })
	if !slices.Equal(got, keys) {
		t.Fatalf("keys %v, want %v", got, keys)
	}
	if tr.root != nil && (tr.root.value[1] != total || tr.first().key != keys[0]) {
		t.Fatalf("sum %d, want %d; first %d, want %d", tr.root.value[1], total, tr.first().key, keys[0])
	}
	i, found := slices.BinarySearch(keys, k)
	if (tr.find(k) != nil) != found {
		t.Fatalf("find %d: want %v", k, found)
	}
	if !found {
		i--
	}
	switch n := tr.floor(k); {
	case n == nil && i >= 0, n != nil && (i < 0 || n.key != keys[i]):
		t.Fatalf("floor of %d in %v: %+v", k, keys, n)
	}
}

// checkNode says which invariant of an AA tree does not hold.
func checkNode[K, V any](n *node[K, V]) error {
	switch {
	case n == nil:
		return nil
	case n.left.height() != n.level-1:
		return fmt.Errorf("%v: left child of level %d below level %d", n.key, n.left.height(), n.level)
	case n.right.height() != n.level-1 && n.right.height() != n.level:
		return fmt.Errorf("%v: right child of level %d below level %d", n.key, n.right.height(), n.level)
	case n.right != nil && n.right.right.height() >= n.level:
		return fmt.Errorf("%v: right grandchild on level %d", n.key, n.level)
	}
	if err := checkNode(n.left); err != nil {
		return err
	}
	return checkNode(n.right)
}

// Runs hold exactly the ordinals that were put in, as few runs as there can be.
func TestRunsLaw(t *testing.T) {
	const universe = 100
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		r, model := newRuns(), [universe + 1]bool{}
		for range 1000 {
			i := random.IntN(universe)
			if model[i] {
				r.remove(iprange.CountOf(uint64(i)))
			} else {
				r.insert(iprange.CountOf(uint64(i)))
			}
			model[i] = !model[i]
			if err := checkRuns(&r, model[:]); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func checkRuns(r *runs, model []bool) error {
	got, next := make([]bool, len(model)), uint64(0)
	var err error
	r.each(func(first, last iprange.Count) {
		if last.Less(first) || first.Uint64() < next {
			err = fmt.Errorf("run %v-%v after %d", first, last, next)
		}
		for i := first.Uint64(); i <= last.Uint64(); i++ {
			got[i] = true
		}
		next = last.Uint64() + 2 // not 1: they would be one run
	})
	if err == nil && !slices.Equal(got, model) {
		err = fmt.Errorf("got %v, want %v", got, model)
	}
	if want := slices.Index(model, false); r.lowestAbsent().Uint64() != uint64(want) {
		return fmt.Errorf("lowest absent %v, want %d", r.lowestAbsent(), want)
	}
	return err
}

// Ordinals number the addresses that may be given out, in order, and nothing else.
func TestSpaceLaw(t *testing.T) {
	for _, avoid := range []bool{false, true} {
		for seed := range uint64(300) {
			random := rand.New(rand.NewPCG(seed, 2))
			p := newPool(Pool{Ranges: somePoolRanges(t, random), AvoidBuggyIPs: avoid})
			for _, f := range []Family{IPv4, IPv6} {
				checkSpace(t, p, f)
			}
		}
	}
}

func checkSpace(t *testing.T, p *pool, f Family) {
	t.Helper()
	s, next := p.space(f), iprange.Count{}
	for _, addr := range universe(f) {
		in := slices.ContainsFunc(p.Ranges, func(r iprange.Range) bool { return r.Contains(addr) }) &&
			(!p.AvoidBuggyIPs || f == IPv6 || !buggy(addr))
		o, ok := s.ordinal(addr)
		if ok != in {
			t.Fatalf("%v: %v has an ordinal: %v", p.Ranges, addr, ok)
		}
		if !in {
			continue
		}
		if o != next || s.address(o) != addr {
			t.Fatalf("%v: %v has ordinal %v, want %v, which is %v", p.Ranges, addr, o, next, s.address(o))
		}
		next = next.Add(one)
	}
	if s.size != next {
		t.Fatalf("%v: size %v, counted %v", p.Ranges, s.size, next)
	}
}
