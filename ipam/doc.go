// Package ipam knows which Service holds which address.
//
// An Allocator is a table of claims over pools of ranges. It promises that no
// address is held by two owners unless their Sharing allows it, that the same
// history gives the same answers, that the lowest free address of the first
// pool that can serve is chosen, and that no operation scans: each costs
// O(log n) in the addresses in use, at any fill and any pool size, and passes
// over pools that have nothing to give without looking at them. Memory grows
// with the addresses in use and the number of pools alone.
//
// How: a pool's addresses of one family are numbered from 0, and the numbers
// in use are kept as runs of neighbours in a balanced tree, so that the lowest
// free one is right after the first run. Addresses that may be shared are in a
// tree for each sharing key, where a subtree tells which ports are taken in
// all of it.
//
// An owner keeps its addresses whatever becomes of the pools: one that is in
// no pool any longer is an orphan, until a pool has it again or its owner asks
// for another.
//
// It knows neither Kubernetes nor selectors: the caller says which pools are
// candidates. It is pure: time is an argument, and it is not safe for use by
// several goroutines at once.
package ipam
