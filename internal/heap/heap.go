package heap

import (
	"container/heap"
	"iter"
	"slices"
)

// A Place is where in a heap an item is; items embed it. The zero Place is
// that of an item in none.
type Place struct{ ordinal int } // counted from 1

// Placed reports whether the item is in a heap.
func (p *Place) Placed() bool { return p.ordinal > 0 }

// self has no name outside, so that nobody can be an Item without a Place.
func (p *Place) self() *Place { return p }

var _ interface{ self() *Place } = (*Place)(nil)

// An Item is a pointer to what embeds a Place.
type Item[T any] interface {
	// Before reports whether this item is more urgent than the other.
	Before(other T) bool
	// Placed is that of Place.
	Placed() bool
	self() *Place
}

// A Heap keeps items, the most urgent first. The zero Heap is empty.
type Heap[T Item[T]] struct{ items items[T] }

// First returns the most urgent item; ok is false if there is none.
func (h *Heap[T]) First() (first T, ok bool) {
	if len(h.items) == 0 {
		return first, false
	}
	return h.items[0], true
}

// All returns the items in no order. Nothing may be put or taken meanwhile.
func (h *Heap[T]) All() iter.Seq[T] { return slices.Values(h.items) }

// Put adds an item, or moves one that is in the heap and has changed.
func (h *Heap[T]) Put(x T) {
	if x.Placed() {
		heap.Fix(&h.items, x.self().ordinal-1)
		return
	}
	heap.Push(&h.items, x)
}

// Take takes an item out if it is in the heap.
func (h *Heap[T]) Take(x T) {
	if x.Placed() {
		heap.Remove(&h.items, x.self().ordinal-1)
	}
}

// Reorder puts everything in order after any number of items have changed.
func (h *Heap[T]) Reorder() { heap.Init(&h.items) }

// items implement heap.Interface.
type items[T Item[T]] []T

func (s items[T]) Len() int           { return len(s) }
func (s items[T]) Less(i, j int) bool { return s[i].Before(s[j]) }

func (s items[T]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].self().ordinal, s[j].self().ordinal = i+1, j+1
}

func (s *items[T]) Push(x any) {
	item := x.(T)
	*s = append(*s, item)
	item.self().ordinal = len(*s)
}

func (s *items[T]) Pop() any {
	last := len(*s) - 1
	item := (*s)[last]
	clear((*s)[last:]) // so that it can be collected
	*s = (*s)[:last]
	item.self().ordinal = 0
	return item
}
