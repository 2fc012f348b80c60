package desired_test

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// The model of BGP, as Compute's comment has it: each pair of prefix and peer is
// decided by itself, and then put together.

// anySelects reports whether labels match one of n selectors, or there is none.
func anySelects(n int, matches func(int) bool) bool {
	for i := range n {
		if matches(i) {
			return true
		}
	}
	return n == 0
}

// modelSessions returns the peers of the Input's node.
func modelSessions(in desired.Input) (out []*config.Peer) {
	at := slices.IndexFunc(in.Nodes, func(n desired.Node) bool { return n.Name == in.Node })
	for i := range in.Config.Peers {
		p := &in.Config.Peers[i]
		twin := slices.ContainsFunc(out, func(o *config.Peer) bool {
			return o.Address == p.Address && o.Interface == p.Interface && o.VRF == p.VRF
		})
		if at >= 0 && !twin && anySelects(len(p.NodeSelectors), func(j int) bool { return p.NodeSelectors[j].Matches(in.Nodes[at].Labels) }) {
			out = append(out, p)
		}
	}
	return out
}

// An ask is what an advertisement says of a Service's address to a peer.
type ask struct {
	prefix  netip.Prefix
	peer    string
	service string
	ad      *config.BGPAdvertisement
}

// modelAsks returns what the node is to announce of an address of a Service, or
// why it is not.
func modelAsks(in desired.Input, s *desired.Service, addr netip.Addr) (asks []ask, reason desired.Reason) {
	pool := in.Config.HomeOf(addr)
	var covering, selecting []*config.BGPAdvertisement
	at := slices.IndexFunc(in.Nodes, func(n desired.Node) bool { return n.Name == in.Node })
	for i := range in.Config.BGPAdvertisements {
		ad := &in.Config.BGPAdvertisements[i]
		if pool == nil && !ad.AllPools || pool != nil && !slices.Contains(ad.Pools, pool.Name) ||
			!anySelects(len(ad.ServiceSelectors), func(j int) bool { return ad.ServiceSelectors[j].Matches(s.Labels) }) {
			continue
		}
		covering = append(covering, ad)
		if at >= 0 && anySelects(len(ad.NodeSelectors), func(j int) bool { return ad.NodeSelectors[j].Matches(in.Nodes[at].Labels) }) {
			selecting = append(selecting, ad)
		}
	}
	for _, ad := range selecting {
		bits := map[bool]int{true: ad.AggregationLength, false: ad.AggregationLengthV6}[addr.Is4()]
		if pool == nil {
			bits = addr.BitLen()
		}
		for _, p := range modelSessions(in) {
			if len(ad.Peers) == 0 || slices.Contains(ad.Peers, p.Name) {
				asks = append(asks, ask{netip.PrefixFrom(addr, bits).Masked(), p.Name, s.Key, ad})
			}
		}
	}
	switch {
	case len(covering) == 0 && pool == nil:
		return nil, desired.NoPool
	case len(covering) == 0:
		return nil, desired.NoAdvertisement
	case at < 0:
		return nil, desired.NodeUnknown
	case len(selecting) == 0:
		return nil, desired.NodeNotSelected
	case in.Nodes[at].Unavailable != 0:
		return nil, in.Nodes[at].Unavailable
	case len(asks) == 0:
		return nil, desired.NoPeer
	case !servesAnywhere(s):
		return nil, desired.NoServingEndpoint
	case s.Local && !s.Serving[in.Node]:
		return nil, desired.NoLocalEndpoint
	}
	return asks, 0
}

// modelUnsaid returns what is not announced by BGP.
func modelUnsaid(in desired.Input) (out []desired.Declined) {
	if len(in.Config.BGPAdvertisements) == 0 {
		return nil
	}
	for _, s := range in.Services {
		for _, addr := range slices.Compact(slices.SortedFunc(slices.Values(s.Addresses), netip.Addr.Compare)) {
			if _, reason := modelAsks(in, s, addr); reason != 0 {
				out = append(out, desired.Declined{Service: s.Key, Address: addr, Protocol: desired.ProtocolBGP, Reason: reason})
			}
		}
	}
	return out
}

func attributesOf(ad *config.BGPAdvertisement) desired.Attributes {
	return desired.Attributes{LocalPref: ad.LocalPref, MED: ad.MED, ASNPrepend: ad.ASNPrepend, Communities: ad.Communities}
}

// modelBGP returns State.BGP.
func modelBGP(in desired.Input) desired.BGP {
	type told struct {
		prefix netip.Prefix
		peer   string
	}
	out := desired.BGP{Sessions: modelSessions(in)}
	asked := map[told][]ask{}
	for _, s := range in.Services {
		for _, addr := range s.Addresses {
			asks, _ := modelAsks(in, s, addr)
			for _, a := range asks {
				asked[told{a.prefix, a.peer}] = append(asked[told{a.prefix, a.peer}], a)
			}
		}
	}
	for to, asks := range asked {
		first := slices.MinFunc(asks, func(a, b ask) int { return strings.Compare(a.ad.Name, b.ad.Name) }).ad
		at := slices.IndexFunc(out.Routes, func(r desired.Route) bool {
			return r.Prefix == to.prefix && r.Attributes.Equal(attributesOf(first))
		})
		if at < 0 {
			at = len(out.Routes)
			out.Routes = append(out.Routes, desired.Route{Prefix: to.prefix, Attributes: attributesOf(first)})
		}
		r := &out.Routes[at]
		r.Peers = append(r.Peers, to.peer)
		for _, a := range asks {
			r.Services = append(r.Services, a.service)
			if attributesOf(a.ad).Equal(r.Attributes) {
				r.Advertisements = append(r.Advertisements, a.ad.Name)
			} else if f := (desired.Refusal{Prefix: to.prefix, Peer: to.peer, Advertisement: a.ad.Name, InForce: first.Name}); !slices.Contains(out.Refused, f) {
				out.Refused = append(out.Refused, f)
			}
		}
	}
	for i := range out.Routes {
		for _, names := range []*[]string{&out.Routes[i].Peers, &out.Routes[i].Services, &out.Routes[i].Advertisements} {
			slices.Sort(*names)
			*names = slices.Compact(*names)
		}
	}
	slices.SortFunc(out.Routes, func(a, b desired.Route) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), strings.Compare(a.Peers[0], b.Peers[0]))
	})
	slices.SortFunc(out.Refused, func(a, b desired.Refusal) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), strings.Compare(a.Peer, b.Peer), strings.Compare(a.Advertisement, b.Advertisement))
	})
	return out
}
