package ipam

// A tree is an ordered map: an AA tree (Andersson 1993), which stays balanced
// whatever the order of changes, without randomness.
type tree[K, V any] struct {
	root    *node[K, V]
	compare func(a, b K) int
	// pull, unless nil, computes what a node's value says about its whole
	// subtree; the subtrees' own values are right when it is called.
	pull func(n *node[K, V])
}

// A node is one key of a tree. Invariants (AA tree): a leaf has level 1; a
// left child is one level below its parent; a right child is on the parent's
// level or one below; a right grandchild is below; a level above 1 has two
// children.
type node[K, V any] struct {
	key         K
	value       V
	level       int
	left, right *node[K, V]
}

// first returns the node with the lowest key, or nil.
func (t *tree[K, V]) first() *node[K, V] {
	if t.root == nil {
		return nil
	}
	return t.root.first()
}

// floor returns the node with the highest key that is not above k, or nil.
func (t *tree[K, V]) floor(k K) *node[K, V] {
	var best *node[K, V]
	for n := t.root; n != nil; {
		if t.compare(n.key, k) > 0 {
			n = n.left
			continue
		}
		best, n = n, n.right
	}
	return best
}

// find returns the node of k, or nil.
func (t *tree[K, V]) find(k K) *node[K, V] {
	n := t.floor(k)
	if n == nil || t.compare(n.key, k) != 0 {
		return nil
	}
	return n
}

// insert adds k, which is not in the tree yet.
func (t *tree[K, V]) insert(k K, v V) { t.root = t.inserted(t.root, k, v) }

func (t *tree[K, V]) inserted(n *node[K, V], k K, v V) *node[K, V] {
	if n == nil {
		n = &node[K, V]{key: k, value: v, level: 1}
		t.update(n)
		return n
	}
	switch c := t.compare(k, n.key); {
	case c < 0:
		n.left = t.inserted(n.left, k, v)
	case c > 0:
		n.right = t.inserted(n.right, k, v)
	default:
		panic("ipam: key inserted twice")
	}
	t.update(n)
	return t.split(t.skew(n))
}

// remove takes k out, which is in the tree.
func (t *tree[K, V]) remove(k K) { t.root = t.removed(t.root, k) }

func (t *tree[K, V]) removed(n *node[K, V], k K) *node[K, V] {
	if n == nil {
		panic("ipam: key removed twice")
	}
	switch c := t.compare(k, n.key); {
	case c < 0:
		n.left = t.removed(n.left, k)
	case c > 0:
		n.right = t.removed(n.right, k)
	case n.left != nil:
		heir := n.left.last()
		n.key, n.value = heir.key, heir.value
		n.left = t.removed(n.left, heir.key)
	default:
		return n.right // nil, or a leaf of level 1 that takes its place
	}
	return t.rebalance(n)
}

// rebalance mends n after one of its subtrees may have lost a level.
func (t *tree[K, V]) rebalance(n *node[K, V]) *node[K, V] {
	if level := min(n.left.height(), n.right.height()) + 1; level < n.level {
		n.level = level
		if n.right.height() > level {
			n.right.level = level
		}
	}
	n = t.skew(n)
	if n.right != nil {
		n.right = t.skew(n.right)
		if n.right.right != nil {
			n.right.right = t.skew(n.right.right)
		}
		t.update(n.right)
	}
	t.update(n)
	n = t.split(n)
	if n.right != nil {
		n.right = t.split(n.right)
	}
	t.update(n)
	return n
}

// skew turns right when the left child is on n's own level.
func (t *tree[K, V]) skew(n *node[K, V]) *node[K, V] {
	l := n.left
	if l.height() != n.level {
		return n
	}
	n.left, l.right = l.right, n
	t.update(n)
	t.update(l)
	return l
}

// split turns left and lifts when two right children are on n's own level.
func (t *tree[K, V]) split(n *node[K, V]) *node[K, V] {
	r := n.right
	if r == nil || r.right.height() != n.level {
		return n
	}
	n.right, r.left = r.left, n
	r.level++
	t.update(n)
	t.update(r)
	return r
}

func (t *tree[K, V]) update(n *node[K, V]) {
	if t.pull != nil {
		t.pull(n)
	}
}

// height is n's level; that of no node is 0.
func (n *node[K, V]) height() int {
	if n == nil {
		return 0
	}
	return n.level
}

func (n *node[K, V]) first() *node[K, V] {
	for n.left != nil {
		n = n.left
	}
	return n
}

func (n *node[K, V]) last() *node[K, V] {
	for n.right != nil {
		n = n.right
	}
	return n
}

// each calls visit for every node of the subtree in key order.
func (n *node[K, V]) each(visit func(*node[K, V])) {
	if n == nil {
		return
	}
	n.left.each(visit)
	visit(n)
	n.right.each(visit)
}
