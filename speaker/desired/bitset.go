package desired

import "math/bits"

// A bitset is a set of nodes by their index in a view. Sets of one view have
// the same length, or are nil: nil is empty.
type bitset []uint64

// newBitset returns an empty set with room for n nodes.
func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) has(i int) bool { return b != nil && b[i/64]&(1<<(i%64)) != 0 }

// empty reports whether nothing is in the set.
func (b bitset) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// meets reports whether the sets have an element in common.
func (b bitset) meets(o bitset) bool {
	for i := range min(len(b), len(o)) {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// keep removes what is not in o, which is not nil.
func (b bitset) keep(o bitset) {
	for i := range b {
		b[i] &= o[i]
	}
}

// all yields the elements, lowest first.
func (b bitset) all(yield func(int) bool) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
