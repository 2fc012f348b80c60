package members

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// A pace has the intervals that are not memberlist's own.
type pace struct {
	// first is between two tries to reach a peer that has just been told of,
	// firstTries how many of them fail before it counts as absent.
	first      time.Duration
	firstTries int
	// again is between two tries after that, and late between two after the
	// peer has been missing for longer than long.
	again, late, long time.Duration
	// use is from learning a key to encrypting by it, forget from then to not
	// accepting the previous one any more.
	use, forget time.Duration
}

// defaultPace is that of every speaker. A healed partition is found within
// again and merged a moment later; late is still well below the second that a
// node whose link came back holds its announcements. A key is used as late as
// speakers may learn of it later than each other without being lost, and as
// early as one that starts with the new key alone should be heard.
var defaultPace = pace{
	first: 100 * time.Millisecond, firstTries: 5,
	again: 300 * time.Millisecond, late: 600 * time.Millisecond, long: time.Minute,
	use: 3 * time.Second, forget: time.Minute,
}

// maxJoins bounds the full exchanges of state that are made at one time. The
// first that succeeds makes most of the others needless.
const maxJoins = 4

// largeCluster is the number of peers above which suspicions are shortened.
const largeCluster = 30

// tune returns the configuration of memberlist for a speaker with so many
// peers; a wrong number does little harm.
//
// A dead node is suspected at the end of the first probe it does not answer,
// ProbeInterval after that began, and is dead SuspicionMult * ProbeInterval *
// max(1, log10 n) later. By the profile LANFast, with 100 ms and 6, that is
// about 0.75 s for up to ten nodes and 1.05 s for thirty; with 4 it is 0.8 s for
// fifty and 1 s for a hundred. Steady takes twice, WAN five times as long.
//
// The time of suspicion, never below 0.6 s, is how long a process may stand
// still without being taken for dead. On two cores with six busy loops a process
// was seen to stand still for 0.26 s; 0.32 s of suspicion once gave a false
// alarm there. A node that falls silent altogether is found by other means and
// sooner, see SetSilent: what is left to suspicion is a process that is gone, or
// stands still, while its node goes on forwarding, and there haste does harm and
// little good. A single probe that is late does no harm.
//
// The factor of 6 matters in small clusters. Of the same sum, many short probes
// are better than few long ones: with fewer than six nodes memberlist then does
// not wait for anybody to confirm a suspicion, who may be dead as well.
func tune(c Config, peers int) *memberlist.Config {
	out := memberlist.DefaultLANConfig()
	out.Name, out.Label = c.Node, c.Label
	out.BindAddr, out.AdvertiseAddr = c.Addr.String(), c.Addr.String()
	out.BindPort, out.AdvertisePort = c.Port, c.Port

	c.Profile.set(out, peers)
	out.SuspicionMaxTimeoutMult = 2
	// A machine that notices it is slow probes up to three times as slowly; the
	// usual eight times would make it blind when many die at once.
	out.AwarenessMaxMultiplier = 3
	// The full exchange mends what lost packets left behind.
	out.PushPullInterval = 10 * time.Second
	// The dead are forgotten only when nobody can still believe them alive.
	out.GossipToTheDeadTime = 15 * time.Second
	// A node made anew, with its old name at another address, is let in as soon
	// as the old one is dead; zero would be never.
	out.DeadNodeReclaimTime = time.Millisecond
	// Messages are too small to be worth the compressor's memory.
	out.EnableCompression = false
	return out
}
