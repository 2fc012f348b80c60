package desired

import (
	"cmp"
	"net/netip"
	"strings"
)

// A Claim says which node an address belongs to. Speakers tell each other their
// claims by gossip, and each keeps the best it has heard of every address: the
// claims of two speakers that have heard the same are the same, in whatever
// order they heard them. The zero Claim is none.
type Claim struct {
	Address netip.Addr
	Node    string
	// Epoch grows by one whenever the address goes to another node.
	Epoch uint64
	// Weak is true when who made the claim did not see a steady majority of the
	// speakers: it may have been cut off from them. A holder that is still there
	// asserts itself against it, see Compute.
	Weak bool
}

// Nobody stands in a Claim for the node of an address that was given back: no
// Service had it any more. It is no name that a node can have.
const Nobody = "-"

// fresh reports whether nobody holds an address with this claim, and the last
// who did has given it back.
func (c Claim) fresh() bool { return c.Epoch == 0 || c.Node == Nobody }

// Compare orders claims of one address: the better one is greater. The higher
// epoch wins; among equals one that is not weak; among these the node with the
// higher hash for the address, and at last the first name.
func (c Claim) Compare(d Claim) int {
	if r := cmp.Compare(c.Epoch, d.Epoch); r != 0 {
		return r
	}
	switch {
	case c.Node == d.Node && c.Weak == d.Weak:
		return 0
	case c.Weak != d.Weak && c.Weak:
		return -1
	case c.Weak != d.Weak:
		return 1
	}
	s := newSlot(c.Address)
	return cmp.Or(
		cmp.Compare(score(hashName(c.Node), s), score(hashName(d.Node), s)),
		strings.Compare(d.Node, c.Node))
}
