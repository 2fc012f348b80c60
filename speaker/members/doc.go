// Package members tells which speakers of the cluster are alive, by
// hashicorp/memberlist (SWIM gossip) on the host network.
//
// It is told its peers and its key, and asks no API. It promises that a dead
// speaker is known within a second in clusters of up to 100 nodes, that a
// partition heals by itself within a second after the network does, that a
// speaker that starts again is back at once, and that a key is rotated without
// anybody leaving. It never decides who announces what, and it never waits for
// a peer that does not answer.
//
// # Who is alive
//
// Each speaker probes another one, at random, ten times a second. One that
// answers neither directly, nor through others, nor by TCP is suspected, all
// are told so, and it has at least 0.4 s to object; see tune for how the
// intervals were chosen. A speaker whose process is killed is found out the
// same way as one whose cable is cut. One that calls Leave is known to be gone
// as soon as the message arrives.
//
// # Who is missing
//
// memberlist stops talking to the dead after a while, so a partition would stay
// one forever. Every peer that should be there and is not is therefore sent a
// ping by UDP about three times a second; as soon as one answers, the two
// exchange all they know, and so do both halves of the cluster. A ping is a
// packet of some hundred bytes and waits for nobody, which is why a TCP
// connection is tried only after an answer.
//
// # Keys
//
// The key is the SHA-256 of the secret. Speakers learn of a new one at slightly
// different times. So a new key is first only accepted, a few seconds later
// used, and the old one is accepted for a minute more. Without a key nothing is
// sent or received: a List waits for the first one.
package members
