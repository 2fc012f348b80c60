package config

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/iprange"
)

// maxPrepend bounds spec.asPathPrepend; the schema states it too.
const maxPrepend = 16

// bgpAdvertisements judges all BGPAdvertisements.
func (j *judgment) bgpAdvertisements(objects []v1beta1.BGPAdvertisement, known references) []BGPAdvertisement {
	meta := func(o *v1beta1.BGPAdvertisement) *metav1.ObjectMeta { return &o.ObjectMeta }
	return judge(j, v1beta1.KindBGPAdvertisement, objects, meta,
		func(o *v1beta1.BGPAdvertisement, f *findings) BGPAdvertisement { return f.bgpAdvertisement(o, known) })
}

// bgpAdvertisement judges one BGPAdvertisement.
func (f *findings) bgpAdvertisement(o *v1beta1.BGPAdvertisement, known references) BGPAdvertisement {
	s := &o.Spec
	a := BGPAdvertisement{
		Name:                o.Name,
		Pools:               f.poolsOf(s.IPAddressPools, s.IPAddressPoolSelectors, known),
		AllPools:            allPools(s.IPAddressPools, s.IPAddressPoolSelectors),
		ServiceSelectors:    f.selectors("spec.serviceSelectors", s.ServiceSelectors),
		NodeSelectors:       f.selectors("spec.nodeSelectors", s.NodeSelectors),
		Peers:               f.peersOf(s.Peers, known),
		AggregationLength:   int(f.number("spec.aggregationLength", s.AggregationLength, limits{1, 32, 32})),
		AggregationLengthV6: int(f.number("spec.aggregationLengthV6", s.AggregationLengthV6, limits{1, 128, 128})),
		LocalPref:           f.preference("spec.localPref", s.LocalPref),
		MED:                 f.preference("spec.med", s.MED),
		ASNPrepend:          int(f.number("spec.asPathPrepend", s.ASPathPrepend, limits{0, maxPrepend, 0})),
		Communities:         f.communitiesOf(s.Communities, known),
	}
	f.aggregates(&a, known)
	return a
}

// peersOf resolves names of peers; none is all of them. Names without a peer
// are noted, and reject the object when nothing is left.
func (f *findings) peersOf(listed []string, known references) []string {
	var found []string
	for i, name := range listed {
		if slices.ContainsFunc(known.config.Peers, func(p Peer) bool { return p.Name == name }) {
			found = append(found, name)
			continue
		}
		f.note(item("spec.peers", i), name, "%s", missing(v1beta1.KindBGPPeer, name, known.peers))
	}
	if len(listed) > 0 && len(found) == 0 {
		f.unmet()
	}
	return sortedSet(found)
}

// preference judges an attribute of 32 bits.
func (f *findings) preference(field string, n *int64) *uint32 {
	if n == nil {
		return nil
	}
	if *n < 0 || *n > math.MaxUint32 {
		f.reject(InvalidValue, field, *n, "must be from 0 to %d", uint32(math.MaxUint32))
		return nil
	}
	v := uint32(*n)
	return &v
}

// communitiesOf resolves communities and names of them. All are needed: a
// route without its no-export would go where it should not.
func (f *findings) communitiesOf(listed []string, known references) []Community {
	var found []Community
	for i, text := range listed {
		field := item("spec.communities", i)
		if !strings.Contains(text, ":") {
			a, given := known.aliases[text]
			switch {
			case a.accepted:
				found = append(found, a.value)
			case given:
				f.reject(UnknownReference, field, text, "Community %q, which has the name, is not accepted", a.object)
			default:
				f.reject(UnknownReference, field, text, "no Community has this name")
			}
			continue
		}
		c, err := parseCommunity(text)
		if err != nil {
			f.reject(InvalidValue, field, text, "%v", err)
			continue
		}
		found = append(found, c)
	}
	slices.SortFunc(found, Community.compare)
	return slices.Compact(found)
}

// aggregates leaves out the pools that do not have the whole of the prefixes
// that would be announced, and rejects the object when none is left.
func (f *findings) aggregates(a *BGPAdvertisement, known references) {
	var fit []string
	tell := func(field string, value any, rule string, args ...any) { f.note(field, value, rule, args...) }
	for _, name := range a.Pools {
		if _, _, ok := excess(known.declared[name], a); !ok {
			fit = append(fit, name)
		}
	}
	if len(fit) == 0 {
		tell = func(field string, value any, rule string, args ...any) {
			f.reject(InvalidValue, field, value, rule, args...)
		}
	}
	for _, name := range a.Pools {
		p, r, ok := excess(known.declared[name], a)
		switch {
		case !ok:
		case p.Addr().Is4():
			tell("spec.aggregationLength", a.AggregationLength, "%v is more than IPAddressPool %q has (%v)", p, name, r)
		default:
			tell("spec.aggregationLengthV6", a.AggregationLengthV6, "%v is more than IPAddressPool %q has (%v)", p, name, r)
		}
	}
	a.Pools = fit
}

// excess finds a prefix that is announced for one of a pool's ranges and has
// addresses that are in none of them.
func excess(ranges []iprange.Range, a *BGPAdvertisement) (netip.Prefix, iprange.Range, bool) {
	for _, r := range ranges {
		length := a.AggregationLength
		if !r.Is4() {
			length = a.AggregationLengthV6
		}
		for _, end := range []netip.Addr{r.First(), r.Last()} {
			p := netip.PrefixFrom(end, length).Masked()
			if len(iprange.Subtract([]iprange.Range{iprange.FromPrefix(p)}, ranges)) > 0 {
				return p, r, true
			}
		}
	}
	return netip.Prefix{}, iprange.Range{}, false
}
