package desired

// Compute returns what the speaker of in.Node should announce, if it has just
// started; a Computer does for one that goes on. This comment is the reference
// of the rules.
//
// # Candidates
//
// An address goes to one node for all Services that hold it. A node is a
// candidate of a Service when its speaker is alive, the API knows it and does
// not make it unavailable, an L2Advertisement that covers the address's pool and
// the Service's labels selects it, it has a link for the address, and the
// Service has a serving endpoint: on that node under the policy Local, anywhere
// otherwise. A Service without any candidate takes no part.
//
// Links for an address are those that match a covering advertisement which
// selects the node; if the address is within the network of some of them, only
// those; and of these the ones that are up. A node whose links are not known
// counts as having one. The same rule says on which of its interfaces this node
// announces.
//
// Sharers narrow the candidates of the address down one by one, Local ones
// first, each group in the order of their keys: a Service keeps of the
// candidates so far those that are its own too. One that would leave none is
// passed over: an address that serves some of its Services is better than one
// that serves none, and one holder is better than two. The holder then declines
// that Service for the reason why it is not a candidate of it.
//
// # Holders
//
// An address whose claim names a node of the cluster that is alive belongs to
// that node. Only that node lets go: the others do nothing, whatever they think
// of it. So what one speaker knows and another does not yet, such as that a
// node is not Ready, never makes two of them announce, or none.
//
// An address that belongs to nobody is placed. All compute the same, and the
// node that wins claims the address, with an epoch higher by one, and announces
// it at once; the others wait to hear of the claim, and take the winner for the
// holder meanwhile. Addresses are placed in their order. Of the candidates the
// highest weight wins; among equals the node that holds the fewest addresses of
// Services of the same family, those placed so far included; then the highest hash of node and
// address, at last the first name.
//
// When no Service has an address any more, the node that it belongs to gives it
// back, by a claim for Nobody: the next Service that has it may be anybody's.
//
// The weight of a node in an advertisement is the sum of its preferredNodes
// that match; of several advertisements that select the node, for any of the
// sharers that were not passed over, the best one counts, so that an
// advertisement said twice weighs no more than said once.
//
// The node that an address belongs to keeps it for as long as it is a candidate,
// whoever else comes. When it is none it places the address anew, and appoints
// the winner by a claim that names that node; without a candidate it keeps the
// claim, and announces nothing. When what the covering advertisements prefer is
// edited, and a candidate is heavier now, it places the address anew too; nodes
// that come and go are no edit.
//
// With failback an address has a home, the candidate of the highest weight and
// hash, however many addresses that holds. It is placed there, and a holder that
// is not the home appoints it; but not if the home itself has just given the
// address away and knows why: then not until it was seen to be no candidate, or
// all has been steady.
//
// # Parts of a cluster that do not see each other
//
// A node that was cut off sees nobody else alive, and claims everything. Such
// claims must not count when it is back. So a claim is weak when its maker sees
// no majority of the speakers that there should be, and as long as it has not
// been steady who is alive, since a node that is being cut off loses sight of the
// others one by one; and when it takes over from a weak claim. A node that holds
// an address by a claim that was not weak, announces it, and hears of a weak one
// by another node, claims the address back. When what it sees is a steady
// majority, and all have been heard, a node makes its own weak claims strong,
// with the same epoch: who had to object has done so.
//
// The first node that starts in a cluster takes all. When it comes to see a
// steady majority it places what it claimed without ever having seen one anew,
// and appoints the winners; what is even stays with it.
//
// Whatever was heard in whatever order, the better claim of an address wins
// (Claim.Compare), so that speakers that have heard the same agree.
//
// # BGP
//
// By BGP every node speaks for itself: it depends neither on claims nor on who
// is alive, and routers choose among the nodes.
//
// A node has a session for each BGPPeer that selects it; of those that have the
// address or interface and the VRF in common, for the first by name. A node that
// the API does not know has none.
//
// It announces an address for a Service when the API does not make the node
// unavailable, a BGPAdvertisement that covers the address's pool and the
// Service's labels selects it and is for one of its sessions, and the Service
// has a serving endpoint: on this node under the policy Local, anywhere
// otherwise. What makes a node unavailable are the things that stop it in layer
// 2 as well, for they say that the node is not to have traffic (the exclude
// label, the out-of-service taint), or will not forward it well (no network for
// pods, a kubelet that is not well while those of most nodes are). Its sessions
// stay up, so that it is back at once. The speakers that are alive do not
// matter otherwise: a node that has lost the others may have its routers still.
//
// Each such advertisement asks for the prefix that it makes of the address, for
// all of its sessions; a prefix is announced for as long as one Service asks. An
// address that no pool has, because its pool was deleted or shrunk, is covered
// by the advertisements of all pools, and asked for alone, whatever length they
// have: what is around it may belong to somebody else by now.
//
// When several advertisements ask for one prefix and peer, the first by name is
// in force. Those with equal attributes are merged into it; the others are
// refused there, and nowhere else. Their Services have the prefix all the same.
func Compute(in Input) State { return new(Computer).Compute(in) }

// ComputeBGP returns what is about BGP in the State that Compute returns: BGP,
// and that of Declined. It does not depend on Claims, and so it serves a speaker
// that has not learned them yet.
func ComputeBGP(in Input) State {
	if in.Config == nil {
		in.Config = &noConfig
	}
	var c Computer
	c.renew(in)
	c.replace(in.Services)
	c.destinations.settle()
	return State{BGP: c.destinations.bgp(c.view.forum), Declined: c.declined()}
}
