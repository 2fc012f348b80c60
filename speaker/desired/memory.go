package desired

import "net/netip"

// A memory is all that the past of a node adds to an Input: two Computers with
// equal memories answer the same to the same Input. A node that starts has none.
type memory struct {
	// started is true when there was an Input, and claims are its Claims.
	started bool
	claims  *Claims
	// majority is true when the node has ever seen most of the speakers, and
	// sure is that of decider in the last Compute.
	majority, sure bool
	// held are the addresses of Services that belonged to this node at the end
	// of the last Compute.
	held map[netip.Addr]tenure
}

// A tenure is how a node holds an address.
type tenure struct {
	// claim is that by which the address belongs to this node.
	claim Claim
	cause Cause
	// fresh is true when this node was the first to claim the address.
	fresh bool
	// rightful is true when the address came to this node by a claim that was
	// not weak, or was found to be in order since. Only who holds an address
	// rightfully claims it back from who was cut off.
	rightful bool
	// early is true when this node claimed the address before it had ever seen
	// a majority: it may have been the first to start, and have taken all.
	early bool
	// announced is true when the node announced the address.
	announced bool
	// asserted is how often the node has claimed the address back since its
	// speakers were last found to be steady.
	asserted int
	// appointer is the home of the address, if that handed it to this node
	// although it seems to be a candidate: it knows better, and the address is
	// not sent back before it was seen not to be one. Empty otherwise.
	appointer string
	// preferences are those of address.preferences under which it was decided
	// last that the address stays.
	preferences uint64
}

// maxAsserted bounds how often in a row a node claims an address back: it may
// be alive for itself and for nobody else.
const maxAsserted = 3
