// Package heap keeps items by urgency, and each item knows its place, so that
// any of them can be moved or taken out without being looked for. Its one law:
// First is an item that no other in the heap is before, whatever was put, taken
// or changed, if each change was followed by Put or, after several, by Reorder.
//
// An item has a place in one heap at most. Put and Take take time that grows
// with the logarithm of the number of items, Reorder with their number.
package heap
