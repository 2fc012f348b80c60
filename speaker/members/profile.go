package members

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// A Profile says how soon the others take a speaker for dead that does not
// answer, and so how long it may stand still without being taken for it.
type Profile int

// The profiles. The zero Profile is not set and stands for LANFast.
const (
	// LANFast is for machines on one network.
	LANFast Profile = iota + 1
	// Steady is for machines that are often overloaded or move between hosts
	// while they run.
	Steady
	// WAN is for nodes that are far from each other, or lose packets.
	WAN
)

// profileNames are those of the profiles, in their order.
var profileNames = []string{"lan-fast", "steady", "wan"}

// String returns the name by which ParseProfile knows the profile.
func (p Profile) String() string {
	if p < LANFast || p > WAN {
		return fmt.Sprintf("Profile(%d)", int(p))
	}
	return profileNames[p-1]
}

// ParseProfile returns the profile of a name.
func ParseProfile(name string) (Profile, error) {
	for i, n := range profileNames {
		if n == name {
			return Profile(i + 1), nil
		}
	}
	return 0, fmt.Errorf("profile %q: want one of %s", name, strings.Join(profileNames, ", "))
}

// pace returns the intervals of the profile that are not memberlist's own.
func (p Profile) pace() pace {
	out := defaultPace
	switch p {
	case Steady:
		out.first, out.again, out.late = 200*time.Millisecond, 500*time.Millisecond, time.Second
	case WAN:
		out.first, out.again, out.late = 500*time.Millisecond, time.Second, 2*time.Second
	default: // LANFast
	}
	return out
}

// set sets the intervals of the profile that are memberlist's own.
func (p Profile) set(c *memberlist.Config, peers int) {
	switch p {
	case Steady:
		c.ProbeInterval, c.ProbeTimeout = 200*time.Millisecond, 100*time.Millisecond
		c.GossipInterval = 50 * time.Millisecond
		c.TCPTimeout = 3 * time.Second
	case WAN:
		c.ProbeInterval, c.ProbeTimeout = 500*time.Millisecond, 300*time.Millisecond
		c.GossipInterval = 100 * time.Millisecond
		c.TCPTimeout = 5 * time.Second
	default: // LANFast
		c.ProbeInterval, c.ProbeTimeout = 100*time.Millisecond, 50*time.Millisecond
		// What is new is sent to all at once without it. It says how soon gossip
		// mends that and spreads suspicions; at 20 ms its ticks cost an idle
		// speaker as much as all the rest does.
		c.GossipInterval = 50 * time.Millisecond
		// It bounds how long an exchange of all that is known may take, on a
		// machine that is overloaded too. Probes do not wait for it.
		c.TCPTimeout = 2 * time.Second
	}
	c.SuspicionMult = 6
	if peers > largeCluster {
		c.SuspicionMult = 4
	}
}
