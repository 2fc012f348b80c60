package ipam

import "github.com/heraldlb/herald/internal/iprange"

// one is the distance between neighbours.
var one = iprange.CountOf(1)

// runs is a set of ordinals, kept as maximal runs of neighbours: first to
// last, both included. Its size is that of its gaps, never that of a pool.
// Invariant: between two runs is at least one ordinal that is in neither.
type runs struct {
	tree tree[iprange.Count, iprange.Count]
}

func newRuns() runs {
	return runs{tree[iprange.Count, iprange.Count]{compare: iprange.Count.Cmp}}
}

// lowestAbsent returns the lowest ordinal that is not in the set.
func (r *runs) lowestAbsent() iprange.Count {
	if n := r.tree.first(); n != nil && n.key.IsZero() {
		return n.value.Add(one)
	}
	return iprange.Count{}
}

// insert adds o, which is not in the set.
func (r *runs) insert(o iprange.Count) { r.insertRun(o, o) }

// insertRun adds all of first to last, none of which is in the set.
func (r *runs) insertRun(first, last iprange.Count) {
	if after := r.tree.find(last.Add(one)); after != nil {
		last = after.value
		r.tree.remove(after.key)
	}
	before := r.tree.floor(first)
	if before != nil && !before.value.Less(first) {
		panic("ipam: ordinal used twice")
	}
	if before != nil && before.value.Add(one) == first {
		before.value = last
		return
	}
	r.tree.insert(first, last)
}

// remove takes o out, which is in the set.
func (r *runs) remove(o iprange.Count) {
	n := r.tree.floor(o)
	if n == nil || n.value.Less(o) {
		panic("ipam: unused ordinal freed")
	}
	first, last := n.key, n.value
	if first == o {
		r.tree.remove(first)
	} else {
		n.value = o.Sub(one)
	}
	if last != o {
		r.tree.insert(o.Add(one), last)
	}
}

// each calls visit for every run, lowest first.
func (r *runs) each(visit func(first, last iprange.Count)) {
	r.tree.root.each(func(n *node[iprange.Count, iprange.Count]) { visit(n.key, n.value) })
}
