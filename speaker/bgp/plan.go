package bgp

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// A site is what is known of the way to a router.
type site struct {
	// remote is the address of the router, with a zone if it is link-local.
	remote netip.Addr
	// local is the address of this end, without a zone.
	local netip.Addr
	// link is the interface that has the network of the router; nil when the
	// router is on no network of this node.
	link *desired.Link
}

// unnumbered reports whether both ends have link-local addresses alone.
func (s site) unnumbered() bool { return s.remote.Is6() && s.remote.IsLinkLocalUnicast() }

// siteOf completes what is known of a router's and our own address.
func siteOf(remote, local netip.Addr, links []desired.Link) site {
	s := site{remote: remote, local: local.WithZone("").Unmap()}
	for i := range links {
		l := &links[i]
		if !around(l, remote) {
			continue
		}
		if s.link == nil || has(l, s.local) {
			s.link = l
		}
	}
	return s
}

// around reports whether an address is on a network of a link, or on the link.
func around(l *desired.Link, a netip.Addr) bool {
	if a.Zone() != "" {
		return a.Zone() == l.Name
	}
	return slices.ContainsFunc(l.Prefixes, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Masked().Contains(a) })
}

// has reports whether a link has an address.
func has(l *desired.Link, a netip.Addr) bool {
	return slices.ContainsFunc(l.Prefixes, func(p netip.Prefix) bool { return p.Addr() == a })
}

// linkNamed returns the link of a name, nil if there is none.
func linkNamed(links []desired.Link, name string) *desired.Link {
	if i := slices.IndexFunc(links, func(l desired.Link) bool { return l.Name == name }); i >= 0 {
		return &links[i]
	}
	return nil
}

// linkLocal returns the lowest IPv6 link-local address of a link.
func linkLocal(l *desired.Link) netip.Addr {
	return lowest(l, func(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() })
}

// globalOf returns an address of a link that other hosts can send to.
func globalOf(l *desired.Link, v6 bool) netip.Addr {
	return lowest(l, func(a netip.Addr) bool { return a.Is6() == v6 && a.IsGlobalUnicast() })
}

// lowest returns the lowest fitting address of a link. One that stands alone,
// without a network around it, is taken only when there is no other: it may well
// be there for something else.
func lowest(l *desired.Link, fits func(netip.Addr) bool) netip.Addr {
	var found netip.Addr
	alone := true
	for _, p := range l.Prefixes {
		a, single := p.Addr(), p.IsSingleIP()
		if !fits(a) || single && !alone {
			continue
		}
		if !found.IsValid() || alone && !single || a.Less(found) {
			found, alone = a, single
		}
	}
	return found
}

// hops are the next hops of IPv4 and IPv6 prefixes; invalid where there is none.
type hops struct{ v4, v6 netip.Addr }

// of returns the next hop for a prefix.
func (h hops) of(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		return h.v4
	}
	return h.v6
}

// nextHops returns the addresses by which a router reaches this node. Prefixes
// of the family of the session have its local address. For the other family it
// is an address of this node on the link to the router, never one that is mapped
// from the other family, and one that lasts if there is one. An unnumbered session
// has one address for both (RFC 8950 section 3).
func nextHops(s site, links, lasting []desired.Link) hops {
	if s.unnumbered() {
		return hops{v4: s.local, v6: s.local}
	}
	link := s.link
	for i := range links {
		if link == nil && has(&links[i], s.local) {
			link = &links[i]
		}
	}
	var other netip.Addr
	if link != nil {
		other = globalOf(link, s.local.Is4())
		if l := linkNamed(lasting, link.Name); l != nil {
			other = cmp.Or(globalOf(l, s.local.Is4()), other)
		}
	}
	if s.local.Is4() {
		return hops{v4: s.local, v6: other}
	}
	return hops{v4: other, v6: s.local}
}

// routerID returns the BGP identifier for a session: the one that is asked for,
// or else an IPv4 address of this node, the one of the session before any other,
// or else one that is made of the node's name. It is never zero (RFC 6286).
func routerID(p *config.Peer, s site, links []desired.Link, node string) netip.Addr {
	if p.RouterID.IsValid() {
		return p.RouterID
	}
	if s.local.Is4() && !s.local.IsUnspecified() {
		return s.local
	}
	var found netip.Addr
	for i := range links {
		if a := globalOf(&links[i], false); a.IsValid() && (!found.IsValid() || a.Less(found)) {
			found = a
		}
	}
	if found.IsValid() {
		return found
	}
	return idOfName(node)
}

// idOfName makes an identifier that looks like an address of a host: routers may
// refuse others (RFC 4271 section 6.2).
func idOfName(node string) netip.Addr {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	sum := h.Sum64()
	const firsts = 223 // 1 to 223 are no multicast
	first := byte(1 + sum>>32%firsts)
	if first == 127 {
		first = 100
	}
	return netip.AddrFrom4([4]byte{first, byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// neighborOf returns how to talk to a peer.
func neighborOf(p *config.Peer, s site, id netip.Addr) Neighbor {
	return Neighbor{
		Name: p.Name, MyASN: p.MyASN, PeerASN: p.PeerASN, Dynamic: p.Dynamic,
		Address: s.remote, Port: p.Port, Source: p.SourceAddress, RouterID: id,
		HoldTime: p.HoldTime, KeepaliveTime: p.KeepaliveTime, ConnectTime: p.ConnectTime,
		Password: p.Password, MultiHop: p.EBGPMultiHop, TTLSecurity: p.TTLSecurity, VRF: p.VRF,
		GracefulRestart: p.GracefulRestart, ExtendedNextHop: s.unnumbered(),
	}
}

// survives reports whether routes of a session may be kept while it is closed
// and opened as another one: by the same two ends, who both agree to that.
func survives(old, next Neighbor, agreed Established) bool {
	return agreed.GracefulRestart > 0 && old.GracefulRestart && next.GracefulRestart &&
		old.MyASN == next.MyASN && old.PeerASN == next.PeerASN && old.Dynamic == next.Dynamic &&
		old.Address == next.Address && old.VRF == next.VRF
}

// bfdSession returns the BFD session that watches a peer, if it wants one. As in
// FRR it is a multihop one with ebgpMultiHop, and with a router of the same ASN
// that is on no network of ours; else the router is one hop away, and packets of
// others must not be able to pass for its own (RFC 5881 section 5). The packets of
// a multihop one go out through the VRF, if there is one.
func bfdSession(p *config.Peer, s site) (bfd.Session, bool) {
	if p.BFD == nil || !s.remote.IsValid() || !s.local.IsValid() {
		return bfd.Session{}, false
	}
	out := bfd.Session{
		Name: p.Name, Local: s.local, Remote: s.remote,
		Multihop: p.EBGPMultiHop || internal(p) && s.link == nil,
		Profile: bfd.Profile{
			Transmit: p.BFD.TransmitInterval, Receive: p.BFD.ReceiveInterval, Multiplier: p.BFD.DetectMultiplier,
			Passive: p.BFD.PassiveMode, MinimumTTL: p.BFD.MinimumTTL,
		},
	}
	if out.Multihop {
		out.Interface = p.VRF
	} else {
		out.Profile.MinimumTTL = 0
		if s.link != nil {
			out.Interface = s.link.Name
		}
	}
	return out, true
}

// internal reports whether a peer is of our own ASN.
func internal(p *config.Peer) bool {
	return p.Dynamic == config.DynamicInternal || p.PeerASN == p.MyASN
}
