// Package watch ties the speaker to its cluster: it turns what the Kubernetes
// API, the members and the network links say into one desired.Input, and the
// desired.State into calls to the announcers, a SpeakerStatus and events.
//
// There is one reconcile key, the world: every watch asks for the same pass,
// so the work queue coalesces. A pass reads from the cache alone and never
// waits for the API server; what it cannot read stays as it was. The status
// and the events are written by a goroutine of their own, when they change.
//
// In layer 2 nothing is announced before the caches are filled, the gossip key
// is known and the other speakers have been looked for, and a node that was cut
// off holds new addresses back until it has met the others again, or a bounded
// time has passed (hold). By BGP a node speaks for itself alone, and waits for
// the caches only. At the end the other speakers, or the routers, are told
// before the first address is let go (World.Drain).
//
// The package decides nothing about who announces what; that is desired's.
// What it does decide is which facts desired gets: which endpoints serve, what
// makes a node unavailable, and when a node that is not Ready is one.
package watch
