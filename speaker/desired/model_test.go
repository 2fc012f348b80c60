package desired_test

import (
	"cmp"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// The model is Compute's comment taken literally, with sets as maps, nothing
// remembered and nothing shared. Only the hash is left out: who of the best
// wins is taken from the State that is checked.

// covering returns the advertisements that cover an address for a Service.
func covering(in desired.Input, s *desired.Service, addr netip.Addr) (ads []config.L2Advertisement, pool bool) {
	p := in.Config.HomeOf(addr)
	for _, ad := range in.Config.L2Advertisements {
		matches := len(ad.ServiceSelectors) == 0
		for _, sel := range ad.ServiceSelectors {
			matches = matches || sel.Matches(s.Labels)
		}
		if matches && (p == nil && ad.AllPools || p != nil && slices.Contains(ad.Pools, p.Name)) {
			ads = append(ads, ad)
		}
	}
	return ads, p != nil || len(ads) > 0
}

// selecting returns those that select a node.
func selecting(ads []config.L2Advertisement, n desired.Node) (out []config.L2Advertisement) {
	for _, ad := range ads {
		matches := len(ad.NodeSelectors) == 0
		for _, sel := range ad.NodeSelectors {
			matches = matches || sel.Matches(n.Labels)
		}
		if matches {
			out = append(out, ad)
		}
	}
	return out
}

func servesAnywhere(s *desired.Service) bool {
	return slices.Contains(slices.Collect(maps.Values(s.Serving)), true)
}

// modelCandidates returns the candidates of a Service for an address.
func modelCandidates(in desired.Input, s *desired.Service, addr netip.Addr) map[string]bool {
	out := map[string]bool{}
	ads, _ := covering(in, s, addr)
	for _, n := range in.Nodes {
		serves := servesAnywhere(s) && (!s.Local || s.Serving[n.Name])
		links, known := in.PeerLinks[n.Name]
		if n.Name == in.Node {
			links, known = in.Links, true
		}
		ads := selecting(ads, n)
		linked := !known && len(ads) > 0 || len(modelLinks(links, ads, addr)) > 0
		if in.Alive[n.Name] && n.Unavailable == 0 && linked && serves {
			out[n.Name] = true
		}
	}
	return out
}

// sharers returns the Services that hold an address, Local ones first.
func sharers(in desired.Input, addr netip.Addr) (out []*desired.Service) {
	for _, s := range in.Services {
		if slices.Contains(s.Addresses, addr) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *desired.Service) int {
		if a.Local != b.Local {
			return map[bool]int{true: -1, false: 1}[a.Local]
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out
}

// modelField returns the candidates of an address, and the sharers that all of
// them suit.
func modelField(in desired.Input, addr netip.Addr) (field map[string]bool, binding []*desired.Service) {
	for _, s := range sharers(in, addr) {
		own := modelCandidates(in, s, addr)
		both := maps.Clone(own)
		maps.DeleteFunc(both, func(n string, _ bool) bool { return field != nil && !field[n] })
		if len(both) > 0 {
			field, binding = both, append(binding, s)
		}
	}
	return field, binding
}

// finalists returns the candidates of an address that have the best weight.
func finalists(in desired.Input, addr netip.Addr) map[string]bool {
	field, binding := modelField(in, addr)
	best := int64(-1)
	weights := map[string]int64{}
	for _, n := range in.Nodes {
		if !field[n.Name] {
			continue
		}
		for _, s := range binding {
			ads, _ := covering(in, s, addr)
			for _, ad := range selecting(ads, n) {
				sum := int64(0)
				for _, p := range ad.Preferred {
					if p.Selector.Matches(n.Labels) {
						sum += int64(p.Weight)
					}
				}
				weights[n.Name] = max(weights[n.Name], sum)
			}
		}
		best = max(best, weights[n.Name])
	}
	maps.DeleteFunc(field, func(n string, _ bool) bool { return weights[n] != best })
	return field
}

// goesHome reports whether an advertisement that covers an address asks for
// failback.
func goesHome(in desired.Input, addr netip.Addr) bool {
	for _, s := range sharers(in, addr) {
		ads, _ := covering(in, s, addr)
		if slices.ContainsFunc(ads, func(ad config.L2Advertisement) bool { return ad.Failback }) {
			return true
		}
	}
	return false
}

// modelReason returns why the node may not announce an address for a Service,
// without regard to the election, and its links if it may.
func modelReason(in desired.Input, s *desired.Service, addr netip.Addr) (desired.Reason, []string) {
	ads, pool := covering(in, s, addr)
	at := slices.IndexFunc(in.Nodes, func(n desired.Node) bool { return n.Name == in.Node })
	switch {
	case !pool:
		return desired.NoPool, nil
	case len(ads) == 0:
		return desired.NoAdvertisement, nil
	case at < 0:
		return desired.NodeUnknown, nil
	}
	ads = selecting(ads, in.Nodes[at])
	links := modelLinks(in.Links, ads, addr)
	switch {
	case len(ads) == 0:
		return desired.NodeNotSelected, nil
	case in.Nodes[at].Unavailable != 0:
		return in.Nodes[at].Unavailable, nil
	case !in.Alive[in.Node]:
		return desired.SpeakerNotAlive, nil
	case len(links) == 0:
		return desired.NoInterface, nil
	case !servesAnywhere(s):
		return desired.NoServingEndpoint, nil
	case s.Local && !s.Serving[in.Node]:
		return desired.NoLocalEndpoint, nil
	}
	return 0, links
}

func modelLinks(links []desired.Link, ads []config.L2Advertisement, addr netip.Addr) []string {
	var all, near []desired.Link
	for _, l := range links {
		matches := false
		for _, ad := range ads {
			matches = matches || len(ad.Interfaces) == 0
			for _, glob := range ad.Interfaces {
				ok, err := path.Match(glob, l.Name)
				matches = matches || ok && err == nil
			}
		}
		if !matches {
			continue
		}
		all = append(all, l)
		within := func(p netip.Prefix) bool { return p.Contains(addr) && p.Bits() < addr.BitLen() }
		if slices.ContainsFunc(l.Prefixes, within) {
			near = append(near, l)
		}
	}
	if len(near) > 0 {
		all = near
	}
	var names []string
	for _, l := range all {
		if l.Up {
			names = append(names, l.Name)
		}
	}
	return names
}

// model returns the State of a node that has just started, given who holds each
// address. There are no claims yet.
func model(in desired.Input, holders map[netip.Addr]string) desired.State {
	var (
		out      desired.State
		declined []desired.Declined
	)
	led := map[netip.Addr]desired.Layer2Address{}
	for _, s := range in.Services {
		for _, addr := range slices.Compact(slices.SortedFunc(slices.Values(s.Addresses), netip.Addr.Compare)) {
			reason, links := modelReason(in, s, addr)
			d := desired.Declined{Service: s.Key, Address: addr, Protocol: desired.ProtocolLayer2, Reason: reason}
			if reason == 0 && holders[addr] != in.Node {
				d.Reason, d.Holder = desired.NotElected, holders[addr]
			}
			if d.Reason != 0 {
				declined = append(declined, d)
				continue
			}
			l := led[addr]
			l.Address = addr
			l.Services = append(l.Services, s.Key)
			l.Interfaces = append(l.Interfaces, links...)
			led[addr] = l
		}
	}
	out.BGP = modelBGP(in)
	declined = append(declined, modelUnsaid(in)...)
	out.Declined = desired.Declines{sortedDeclines(desired.Declines{declined})}
	for _, l := range led {
		l.Cause, l.Fresh = desired.Placed, true
		out.Claims = append(out.Claims, desired.Claim{Address: l.Address, Node: in.Node, Epoch: 1})
		slices.Sort(l.Services)
		slices.Sort(l.Interfaces)
		l.Interfaces = slices.Compact(l.Interfaces)
		out.Layer2 = append(out.Layer2, l)
	}
	slices.SortFunc(out.Layer2, func(a, b desired.Layer2Address) int { return a.Address.Compare(b.Address) })
	slices.SortFunc(out.Claims, func(a, b desired.Claim) int { return a.Address.Compare(b.Address) })
	return out
}

// sortedDeclines returns all that is declined, sorted by Service, address, protocol.
func sortedDeclines(d desired.Declines) (out []desired.Declined) {
	return slices.SortedFunc(slices.Values(slices.Concat(d...)), func(a, b desired.Declined) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), a.Address.Compare(b.Address),
			cmp.Compare(a.Protocol, b.Protocol))
	})
}
