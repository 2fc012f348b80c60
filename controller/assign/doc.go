// Package assign gives Services of type LoadBalancer their addresses: it
// reads the cluster, asks ipam, and writes the outcome to Service.status.
//
// It promises that an address in a status stays where it is unless its owner
// asks for another that can be had, or breaks the sharing rules, or no pool has
// it any longer for Grace; that every address already in a status is claimed
// before the first new one is given out; that nobody gets an address which
// another status still shows; that a Service's status is written only when it
// changes; and that a Service that cannot be served says why, in a condition and
// in one event, and is tried again when something happens that may help it, at
// once, and only then.
//
// Deciding and doing are apart. A request is what one Service asks for; a book
// knows all requests and decides, pure and alone; a term is the time in which
// this process is the one that acts, with a book of its own; the assigner
// moves news into the book, and what the book says into the cluster.
//
// It also writes what config.Parse makes of Herald's objects to their status,
// and creates the Secret of the speakers' gossip key. It never changes a spec,
// an annotation or a finalizer, and writes the status of a Service that is not
// its own only when that bears its mark: it takes the addresses off with it.
package assign
