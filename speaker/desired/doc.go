// Package desired computes what one node's speaker should announce, and why
// it does not announce the rest.
//
// Compute is a pure, whole function from an Input to a State: no goroutines,
// clocks, randomness, I/O, logs or metrics. Which node announces an address is
// settled by claims, which speakers tell each other and which are part of the
// Input and the State: a replicated map from addresses to nodes, in which the
// better claim wins. Every speaker that sees the same facts and claims computes
// the same, so exactly one candidate announces each address, without an API
// call, a lease or a write; and what is announced well stays where it is.
// Compute's comment has the rules, and a simulation of up to 200 speakers, with
// gossip that is late and out of order, and sent again when it is lost, tests
// them.
//
// A Computer is Compute with a past: the few facts that a speaker remembers of
// its own addresses. What else it remembers, per address and per Service, makes
// it cheap and never changes an answer; a test compares remembered with fresh.
package desired
