package desired

import (
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/config"
)

// An offer is a BGPAdvertisement as this node can make it.
type offer struct {
	ad *config.BGPAdvertisement
	// place of the advertisement among all, which is the order of their names.
	place int
	// chosen is true when the advertisement selects this node.
	chosen bool
	// peers are the names of the sessions that it is for, sorted.
	peers      []string
	attributes Attributes
	// kind is the same number for offers of equal attributes.
	kind int
	// names has the advertisement's alone.
	names []string
}

// An audience is a set of BGPAdvertisements that cover an address for a
// Service, with what follows from them for every Service that has the same set.
type audience struct {
	// own says why this node may not announce; zero when it may as far as the
	// view tells.
	own Reason
	// offers are those that this node makes, by their places. Empty unless own is
	// zero.
	offers []*offer
	// alone is true when no pool has the address: what is around it may be
	// anybody's, and is not announced with it.
	alone bool
}

// The audiences without an advertisement.
var (
	audienceNoPool          = &audience{own: NoPool}
	audienceNoAdvertisement = &audience{own: NoAdvertisement}
)

// A forum is the part of a view that is about BGP.
type forum struct {
	// sessions are the peers of this node, by name.
	sessions []*config.Peer
	offers   []offer
	byPool   map[string][]int // pool name to places in offers
	// ofAllPools are the places of those that are for all pools.
	ofAllPools []int
	// audiences by the offers in them, made when the first Service needs them.
	audiences map[string]*audience
	key       []byte // of the last lookup in audiences
}

// newForum returns that of a view whose nodes are there.
func newForum(v *view) *forum {
	f := &forum{byPool: map[string][]int{}, audiences: map[string]*audience{}}
	if v.self >= 0 {
		f.sessions = sessionsOf(v.config.Peers, v.nodes[v.self].Labels)
	}
	for i := range v.config.BGPAdvertisements {
		ad := &v.config.BGPAdvertisements[i]
		o := offer{ad: ad, place: i, names: []string{ad.Name}, kind: i, attributes: Attributes{
			LocalPref: ad.LocalPref, MED: ad.MED, ASNPrepend: ad.ASNPrepend, Communities: ad.Communities,
		}}
		o.chosen = v.self >= 0 && anyOrNone(len(ad.NodeSelectors), func(j int) bool {
			return ad.NodeSelectors[j].Matches(v.nodes[v.self].Labels)
		})
		for _, p := range f.sessions {
			if len(ad.Peers) == 0 || slices.Contains(ad.Peers, p.Name) {
				o.peers = append(o.peers, p.Name)
			}
		}
		if same := slices.IndexFunc(f.offers, func(b offer) bool { return b.attributes.Equal(o.attributes) }); same >= 0 {
			o.kind = same
		}
		f.offers = append(f.offers, o)
		if ad.AllPools {
			f.ofAllPools = append(f.ofAllPools, i)
		}
		for _, pool := range ad.Pools {
			f.byPool[pool] = append(f.byPool[pool], i)
		}
	}
	return f
}

// sessionsOf returns the peers that select a node with these labels, by name:
// of those that stand for one router the first.
func sessionsOf(peers []config.Peer, labels config.Labels) (out []*config.Peer) {
	type router struct {
		address        netip.Addr
		link, instance string
	}
	taken := map[router]bool{}
	for i := range peers {
		p := &peers[i]
		r := router{p.Address, p.Interface, p.VRF}
		selected := anyOrNone(len(p.NodeSelectors), func(j int) bool { return p.NodeSelectors[j].Matches(labels) })
		if !selected || taken[r] {
			continue
		}
		taken[r] = true
		out = append(out, p)
	}
	return out
}

// silent reports whether nothing is to be said about BGP.
func (f *forum) silent() bool { return len(f.offers) == 0 }

// audience returns what covers an address for a Service with these labels.
func (v *view) audience(addr netip.Addr, labels config.Labels) *audience {
	f := v.forum
	pool := v.config.HomeOf(addr)
	ads, none := f.ofAllPools, audienceNoPool
	f.key = append(f.key[:0], 1)
	if pool != nil {
		ads, none = f.byPool[pool.Name], audienceNoAdvertisement
		f.key[0] = 0
	}
	for _, i := range ads {
		selectors := f.offers[i].ad.ServiceSelectors
		if anyOrNone(len(selectors), func(j int) bool { return selectors[j].Matches(labels) }) {
			f.key = append(f.key, byte(i), byte(i>>8), byte(i>>16), byte(i>>24))
		}
	}
	if len(f.key) == 1 {
		return none
	}
	a, ok := f.audiences[string(f.key)]
	if !ok {
		a = v.newAudience(f.key)
		f.audiences[string(f.key)] = a
	}
	return a
}

// newAudience returns the audience that a key of audiences names.
func (v *view) newAudience(key []byte) *audience {
	a := &audience{alone: key[0] == 1}
	chosen := false
	for key = key[1:]; len(key) > 0; key = key[4:] {
		o := &v.forum.offers[int(key[0])|int(key[1])<<8|int(key[2])<<16|int(key[3])<<24]
		chosen = chosen || o.chosen
		if o.chosen && len(o.peers) > 0 {
			a.offers = append(a.offers, o)
		}
	}
	switch {
	case v.self < 0:
		a.own = NodeUnknown
	case !chosen:
		a.own = NodeNotSelected
	case v.nodes[v.self].Unavailable != 0:
		a.own = v.nodes[v.self].Unavailable
	case len(a.offers) == 0:
		a.own = NoPeer
	}
	return a
}

// prefixOf returns the prefix that an offer announces an address as.
func (a *audience) prefixOf(o *offer, addr netip.Addr) netip.Prefix {
	length := o.ad.AggregationLength
	if addr.Is6() {
		length = o.ad.AggregationLengthV6
	}
	if a.alone {
		length = addr.BitLen()
	}
	return netip.PrefixFrom(addr, length).Masked()
}

// reason returns why a node does not announce an address for a Service by BGP,
// zero when it does.
func (a *audience) reason(s *service, node string) Reason {
	switch {
	case a.own != 0:
		return a.own
	case !s.serving:
		return NoServingEndpoint
	case s.svc.Local && !s.svc.Serving[node]:
		return NoLocalEndpoint
	default:
		return 0
	}
}
