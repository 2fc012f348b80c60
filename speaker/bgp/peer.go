package bgp

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/heraldlb/herald/config"
)

// A peer is a router that there is, or was, a session with.
type peer struct {
	name   string
	config *config.Peer // nil when it is not wanted any more

	site     site
	hops     hops
	id       netip.Addr // the BGP identifier, which stays as long as the peer
	heard    candidate  // the router of an unnumbered one
	obstacle string     // why there can be no session, in words
	rival    string     // a peer that still has a session with the same router

	session    *line    // nil when there is none
	generation int      // of the session: what is told of others is old
	neighbor   Neighbor // of the session
	closing    bool     // an earlier session is not closed yet

	// sent is what the session announces, and how. A prefix of which that is not
	// known, nor whether it is announced at all, has nil.
	sent tally[*manner]
	// manner is that of the last path; most paths are announced alike.
	manner *manner
	// unsent are prefixes that have no next hop, and lacking is since when there
	// have been such; zero if there are none.
	unsent  tally[struct{}]
	lacking time.Time
	// stale is true when sent may be something else than what is wanted.
	stale    bool
	announce []Path
	withdraw []netip.Prefix

	retry   time.Time // not before; zero for at once
	breath  time.Time // not before either, whatever the settings are; see breath
	resting bool      // breath begins when closing is done
	backoff time.Duration

	state       State
	since       time.Time
	reason      string
	established Established

	liveness liveness
}

// configure takes the settings of the peer.
func (p *peer) configure(c *config.Peer) {
	if p.config == c {
		return
	}
	old := p.config
	if old == nil {
		old = &config.Peer{}
	}
	moved := old.Address != c.Address || old.Interface != c.Interface || old.VRF != c.VRF || old.SourceAddress != c.SourceAddress
	if moved {
		p.site, p.heard = site{}, candidate{}
	}
	if moved || old.RouterID != c.RouterID {
		p.id = netip.Addr{}
	}
	p.config = c
	p.retry, p.backoff = time.Time{}, 0
}

// up reports whether the session is established.
func (p *peer) up() bool { return p.state == EstablishedState }

// The time between attempts to do what did not succeed.
const (
	firstRetry = time.Second
	lastRetry  = 10 * time.Second
)

// later has what failed tried again, each time after a longer while.
func (p *peer) later(now time.Time) {
	p.backoff = min(max(2*p.backoff, firstRetry), lastRetry)
	p.retry = now.Add(p.backoff)
}

// breath is how long a router is left alone that is to watch us by BFD, after its
// session has ended because of other settings: it ends its BFD session too, and
// may say Down by it, as FRR 8.4 does some 0.1 s later. That would end a session
// that was opened meanwhile.
const breath = time.Second

// notBefore returns when a session may be opened.
func (p *peer) notBefore() time.Time {
	if p.breath.After(p.retry) {
		return p.breath
	}
	return p.retry
}

// lack notes since when prefixes have had no next hop.
func (p *peer) lack(now time.Time) {
	switch {
	case p.session == nil || p.unsent.len() == 0:
		p.lacking = time.Time{}
	case p.lacking.IsZero():
		p.lacking = now
	}
}

// wakes returns when the peer has to be looked at again; zero for not.
func (p *peer) wakes(now time.Time) []time.Time {
	if p.config == nil {
		return nil
	}
	w := []time.Time{p.liveness.until()}
	if p.stale || p.session == nil && !p.closing && !p.liveness.held() {
		w = append(w, p.notBefore())
	}
	if !p.lacking.IsZero() {
		// A next hop may come with a route, and nobody tells of routes.
		w = append(w, now.Add(min(max(now.Sub(p.lacking), firstRetry), lastRetry)))
	}
	return w
}

// record returns what is published of the peer.
func (p *peer) record() record {
	s := Status{Peer: p.name, Address: p.site.remote, State: p.state, Since: p.since, LastError: p.trouble()}
	if !s.Address.IsValid() {
		s.Address = p.config.Address
	}
	if p.up() && p.established.IPv4 {
		s.PrefixesSent += p.sent.four
	}
	if p.up() && p.established.IPv6 {
		s.PrefixesSent += p.sent.six
	}
	r := record{status: s, profile: p.config.BFD}
	if p.liveness.wanted {
		r.identity = identity(p.liveness.session)
	}
	return r
}

// trouble says what is wrong, or was last.
func (p *peer) trouble() string {
	if p.session == nil && p.liveness.held() {
		return p.liveness.reason + "; waiting for BFD to come up again"
	}
	if p.session == nil && p.obstacle != "" {
		return p.obstacle
	}
	if p.session == nil && p.rival != "" {
		return fmt.Sprintf("BGPPeer %q has a session with the same router, which must end first", p.rival)
	}
	if !p.up() {
		return p.reason
	}
	switch {
	case p.unsent.four > 0:
		return p.unreachable("IPv4", p.unsent.four)
	case p.unsent.six > 0:
		return p.unreachable("IPv6", p.unsent.six)
	case p.sent.four > 0 && !p.established.IPv4:
		with := ""
		if p.neighbor.ExtendedNextHop {
			with = " with IPv6 next hops (RFC 8950)"
		}
		return fmt.Sprintf("%d IPv4 prefixes not sent: the router has not agreed to IPv4 unicast%s", p.sent.four, with)
	case p.sent.six > 0 && !p.established.IPv6:
		return fmt.Sprintf("%d IPv6 prefixes not sent: the router has not agreed to IPv6 unicast", p.sent.six)
	}
	return p.reason
}

// unreachable says why some prefixes of a family are not sent.
func (p *peer) unreachable(family string, n int) string {
	where := "the link to the router"
	if p.site.link != nil {
		where = "interface " + p.site.link.Name
	}
	return fmt.Sprintf("%d %s prefixes not sent: this node has no %s address on %s that could be their next hop", n, family, family, where)
}
