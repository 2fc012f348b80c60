// Package desired computes what one node's speaker should announce, and why
// it does not announce the rest.
//
// Compute is a pure, whole function from an Input to a State: no goroutines,
// clocks, randomness, I/O, logs or metrics. Every speaker that sees the same
// facts computes the same election, so exactly one candidate elects itself for
// each address, without an API call, a lease or a write. What makes it cheap
// (a Computer that remembers results per address and per Service) never
// changes an answer; a test compares remembered with fresh.
package desired
