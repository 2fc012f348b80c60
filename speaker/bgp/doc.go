// Package bgp holds this node's BGP sessions with routers (RFC 4271) and
// announces addresses on them, watched by BFD where a peer asks for it.
//
// An Announcer is driven by Set with all that is wanted, each time. It promises
// that a change reaches the routers at once and is the only thing that is sent,
// that what concerns one session disturbs no other, that a peer which cannot be
// reached says why in its Status, and that the end of BFD is the end of the
// session. It never takes routes from a router into account, and never listens.
package bgp
