// Package bfd tells within a few missed packets that the path to a peer does not
// work any more. It speaks Bidirectional Forwarding Detection in asynchronous
// mode: RFC 5880, over a single hop as RFC 5881 says and over several as
// RFC 5883 says.
//
// A Manager is driven by Set with all the sessions that are wanted, each time.
// It promises that timers are negotiated in full, that every change of them is
// made by a Poll sequence and flaps nothing, that a session which is not wanted
// any more ends with AdminDown, unless it was told to hush, and that a port that
// cannot be bound, or a peer that cannot be reached, is an error of the sessions
// concerned and nothing else. It never authenticates, echoes or asks for demand
// mode; it stops sending when a peer asks for demand mode.
//
// The packets and the state machine are pure: time and chance are arguments.
// Around them, one goroutine owns all sessions and a heap of their deadlines;
// one more for each receiving socket only tells it that something has come.
// There is one receiving socket for single hop and one for multihop in each
// family, open while a session needs it, and one sending socket a session. A
// receiving socket is bound to no device, so packets that come in through a VRF
// reach it if net.ipv4.udp_l3mdev_accept is set.
//
// # Who is late
//
// A peer must not be declared dead because this process stood still. So the
// detection time is never judged by what has been processed but by what has
// come: before a session goes down the receiving sockets are emptied, and their
// packets count, however late they are read. If the owner was late to look by
// more than the interval at which the peer sends, then perhaps not the process
// but the whole machine stood still, and the peer's packets wait even further
// down: then the peer gets one interval more, once. Status.Late tells a caller
// that has to accuse somebody by how much we were late ourselves.
//
// Sending late makes the peer wait, so it is made up for: a packet that was sent
// late shortens the next interval, within the jitter that is allowed.
//
// # Security
//
// A single hop packet counts only if its TTL or hop limit is 255, which nobody
// beyond the network can make (RFC 5082); multihop ones need at least the
// MinimumTTL of their session. A packet must come from the Remote of a session,
// to its Local if that is set, and over a single hop through its Interface if that
// is set. Others are counted, and change nothing.
package bfd
