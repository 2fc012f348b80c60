package diff

import (
	"maps"
	"slices"
)

// A Change is what turns an actual set into a desired one. Keys are sorted,
// and each is in one list at most; the zero Change changes nothing.
type Change[K comparable] struct {
	// Add has the keys that are only desired, Remove those that are only
	// actual, and Update those that are both, with values that differ.
	Add, Update, Remove []K
}

// IsZero reports whether there is nothing to do.
func (c Change[K]) IsZero() bool {
	return len(c.Add) == 0 && len(c.Update) == 0 && len(c.Remove) == 0
}

// Of returns the Change that turns have into want. It orders keys by compare,
// and two values of one key are the same if equal says so.
func Of[K comparable, V any](have, want map[K]V, compare func(a, b K) int, equal func(a, b V) bool) Change[K] {
	var c Change[K]
	for _, k := range slices.SortedFunc(maps.Keys(want), compare) {
		old, ok := have[k]
		switch {
		case !ok:
			c.Add = append(c.Add, k)
		case !equal(old, want[k]):
			c.Update = append(c.Update, k)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(have), compare) {
		if _, ok := want[k]; !ok {
			c.Remove = append(c.Remove, k)
		}
	}
	return c
}
