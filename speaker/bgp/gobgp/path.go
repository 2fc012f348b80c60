package gobgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bgp"
)

// originIGP says that a route is from inside (RFC 4271 section 5.1.1).
const originIGP = 0

// family returns that of a prefix.
func family(p netip.Prefix) packet.Family {
	if p.Addr().Is4() {
		return packet.RF_IPv4_UC
	}
	return packet.RF_IPv6_UC
}

// nlri returns a prefix as the library has it.
func nlri(p netip.Prefix) (*apiutil.Path, error) {
	if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
		return nil, fmt.Errorf("prefix %v: is not one of IPv4 or IPv6", p)
	}
	n, err := packet.NewIPAddrPrefix(p)
	if err != nil {
		return nil, fmt.Errorf("prefix %v: %w", p, err)
	}
	return &apiutil.Path{Family: family(p), Nlri: n}, nil
}

// libraryPaths returns paths as the library has them.
func libraryPaths(paths []bgp.Path, n bgp.Neighbor) ([]*apiutil.Path, error) {
	all := make([]*apiutil.Path, 0, len(paths))
	for _, p := range paths {
		lp, err := nlri(p.Prefix)
		if err != nil {
			return nil, err
		}
		if lp.Attrs, err = attributes(p, lp.Nlri, n); err != nil {
			return nil, fmt.Errorf("prefix %v: %w", p.Prefix, err)
		}
		all = append(all, lp)
	}
	return all, nil
}

// attributes returns the path attributes of a path. The library adds the own ASN
// for external peers, and takes the local preference away from them. Internal
// peers would take the own ASN for a loop (RFC 4271 section 9.1.2), so nothing is
// put before the path for them.
func attributes(p bgp.Path, prefix packet.NLRI, n bgp.Neighbor) ([]packet.PathAttributeInterface, error) {
	attrs := []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(originIGP)}
	if k := p.Attributes.ASNPrepend; k > 0 && !internal(n) {
		attrs = append(attrs, packet.NewPathAttributeAsPath([]packet.AsPathParamInterface{
			packet.NewAs4PathParam(packet.BGP_ASPATH_ATTR_TYPE_SEQ, slices.Repeat([]uint32{n.MyASN}, k)),
		}))
	}
	hop, err := nextHop(p, prefix)
	if err != nil {
		return nil, err
	}
	attrs = append(attrs, hop)
	if p.Attributes.MED != nil {
		attrs = append(attrs, packet.NewPathAttributeMultiExitDisc(*p.Attributes.MED))
	}
	if p.Attributes.LocalPref != nil {
		attrs = append(attrs, packet.NewPathAttributeLocalPref(*p.Attributes.LocalPref))
	}
	return append(attrs, communities(p.Attributes.Communities)...), nil
}

// nextHop returns the attribute that carries the next hop, which is always
// given: else the library takes the address of its end of the loopback.
func nextHop(p bgp.Path, n packet.NLRI) (packet.PathAttributeInterface, error) {
	hop := p.NextHop.WithZone("")
	switch {
	case !hop.IsValid() || hop.IsUnspecified() || hop.Is4In6():
		return nil, fmt.Errorf("next hop %v: is no address of this node", p.NextHop)
	case hop.Is4() && p.Prefix.Addr().Is4():
		return packet.NewPathAttributeNextHop(hop)
	case hop.Is4():
		return nil, fmt.Errorf("next hop %v: an IPv6 prefix has an IPv6 next hop", hop)
	default:
		return packet.NewPathAttributeMpReachNLRI(family(p.Prefix), []packet.PathNLRI{{NLRI: n}}, hop)
	}
}

// communities returns the attributes for communities of both forms.
func communities(all []config.Community) []packet.PathAttributeInterface {
	var standard []uint32
	var large []*packet.LargeCommunity
	for _, c := range all {
		if c.Large {
			large = append(large, packet.NewLargeCommunity(c.Global, c.Local1, c.Local2))
		} else {
			standard = append(standard, c.Global<<16|c.Local1&0xffff)
		}
	}
	var attrs []packet.PathAttributeInterface
	if len(standard) > 0 {
		attrs = append(attrs, packet.NewPathAttributeCommunities(standard))
	}
	if len(large) > 0 {
		attrs = append(attrs, packet.NewPathAttributeLargeCommunities(large))
	}
	return attrs
}
