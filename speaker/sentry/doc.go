// Package sentry tells within about 0.2 s that a fellow node does not answer any
// more: its power has failed, its cable is out, its kernel is dead.
//
// Members know that too, but after about 0.75 s, as they give a process that may
// only stand still 0.6 s to object. A Sentry sees the difference. It watches
// fellow nodes by BFD, packets that cease first when anything is wrong; and then
// it asks the kernel of the node, which answers however busy or dead the speaker
// is. It promises that a node whose kernel answers is not silent, that it accuses
// nobody while it stood still itself, and that an accusation that turns out wrong
// ends within a moment. It never decides who announces what, nor who is a member:
// a node that is not silent may still be dead.
//
// # Who watches whom
//
// In clusters of up to nine nodes everybody watches everybody. In larger ones
// each node has four deputies, by rendezvous hashing of the names, so that a
// node has about eight sessions in a cluster of any size. It takes two for a
// session; both compute the same plan from the same members. For a moment after
// the members changed they may not agree; then a session is not up, or it ends
// in good order, and nothing follows from either.
//
// # The kernel's word
//
// When the packets of a session that was up have ceased for its detection time,
// up to four TCP connections to the gossip port of the node are begun within
// 45 ms. That port is open wherever speakers run, and whether somebody listens
// there or not, a living kernel says so: a SYN-ACK and a RST are equally good.
// No answer within 60 ms makes the node silent. But no answer is only a sign if
// an answer is normal: so each node is asked once while it is up, and one that
// never answered, as when a firewall drops the connections, is never silent.
//
// A node that is silent is asked again every 100 ms and is not silent any more
// when it answers, when any packet of its session arrives, or when it is no
// member any more. A node that has answered is excused, and asked again, ever
// less often, until its session is up. If members have not buried a silent node
// after five seconds, others still reach it, and only the path from here is
// broken: it is not silent then until its session has been up again.
//
// # Whose fault it is
//
// A process that stood still sees all its sessions expire at once. If it was
// late by more than an interval, as BFD says or as its own clock shows, it gives
// everybody one more detection time, and answers that did not come in such a
// moment are asked for again. On a machine that is so overloaded that this
// happens all the time, nobody is accused, and members decide alone.
//
// If there is no route to a node, or if the interface to it has no carrier, this
// node is the one that is cut off: it accuses nobody until the session has been
// up again. It cannot know when the cable is out further away, or when its
// interface sends but does not receive: then all the others are silent to it,
// and it says so, as that is what it sees. Whoever acts on that must consider
// that a node which hears nobody is more likely to be the one that is lost. So
// speaker/watch holds new announcements back for 300 ms then, and claims what it
// wins weakly; and while a Sentry is Alone the other speakers should not be told
// whom it calls silent, as it may still be heard where it does not hear.
package sentry
