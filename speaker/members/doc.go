// Package members tells which speakers of the cluster are alive, and carries
// what they tell each other, by hashicorp/memberlist (SWIM gossip) on the host
// network.
//
// It is told its peers and its key, and asks no API. It promises that a dead
// speaker is known within little more than a second in clusters of up to 100
// nodes, that a partition heals by itself within a second after the network
// does, that a speaker that starts again is back at once, that a claim is known
// a moment after it was made to all who can be reached then, and about a second
// after a short break of the network to the rest, and that a key is rotated
// without anybody leaving. It never decides who announces what, and it never
// waits for a peer that does not answer.
//
// # Who is alive
//
// Each speaker probes another one, at random, ten times a second. One that
// answers neither directly, nor through others, nor by TCP is suspected, all
// are told so, and it has at least 0.6 s to object; see tune for how the
// intervals were chosen. A speaker whose process is killed is found out the
// same way as one whose cable is cut. One that calls Leave is known to be gone
// as soon as the message arrives.
//
// Who watches the nodes by faster means calls SetSilent with those that have
// fallen silent. All are told, and for all of them these are not alive any more,
// although they are members until memberlist says otherwise. What a silent node
// says of others does not count, and no node finds itself silent.
//
// # How fast
//
// From the cut of a member's cable until all others know, in seconds, median and
// maximum of 7 cuts on the loopback network of a busy machine of two cores; and
// how long a process may stand still without being taken for dead:
//
//	profile   members  median  maximum  stands still
//	lan-fast  2        0.79    0.92     0.6
//	lan-fast  3        0.77    0.90     0.6
//	lan-fast  10       0.77    0.99     0.6
//	steady    3        1.59    1.91     1.2
//	wan       3        4.00    4.49     3.0
//
// Those of lan-fast were measured with gossip every 20 ms, which is every 50 ms
// now, as that costs less. With 100 ms three members took 0.87 s and 0.93 s, but
// ten 1.44 s and 2.18 s, which is too long.
//
// The member that is cut off finds out about the others one after the other: it
// knows that it is alone after 1 s if there are two of them, and 4 s if nine.
//
// # What speakers tell each other
//
// Claims and Records are those of package ledger. What is new goes to every
// member at once, as one packet to each, and by gossip as well, which mends what
// was lost. What a speaker says itself it tells all again after 0.25, 1 and 3 s,
// unless there is something newer by then: a link that is down for a moment
// loses all the rest, and nobody notices. When two speakers meet, and every ten
// seconds, they exchange all they know. On a loopback network a claim is known
// to the other two of three speakers after 0.05 ms and to 29 others after 3 ms
// (medians; BenchmarkClaim).
// A speaker that starts has heard all there is before Settled, if there is
// anybody who has; of others that just start it asks no more than sixteen.
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
