package config

import (
	"math"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// Bounds and defaults of a session's timers (RFC 4271 section 4.2: a hold time
// is zero or at least three seconds, and has 16 bits).
const (
	minHoldTime        = 3 * time.Second
	maxHoldTime        = math.MaxUint16 * time.Second
	defaultHoldTime    = 90 * time.Second
	defaultConnectTime = 5 * time.Second
)

// maxPassword is how long a TCP MD5 password is at most (TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

// peers judges all BGPPeers.
func (j *judgment) peers(objects []v1beta1.BGPPeer, p profiles, passwords map[string]string) []Peer {
	var older []Peer
	meta := func(o *v1beta1.BGPPeer) *metav1.ObjectMeta { return &o.ObjectMeta }
	return judge(j, v1beta1.KindBGPPeer, objects, meta, func(o *v1beta1.BGPPeer, f *findings) Peer {
		peer := f.peer(&o.Spec)
		peer.Name = o.Name
		f.bfd(o.Spec.BFDProfile, p, &peer)
		f.password(o.Spec.PasswordSecret, passwords, &peer)
		if f.accepted() {
			f.twin(&peer, older)
		}
		if f.accepted() {
			older = append(older, peer)
		}
		return peer
	})
}

// peer judges what a peer says by itself.
func (f *findings) peer(s *v1beta1.BGPPeerSpec) Peer {
	p := Peer{
		Port:            v1beta1.DefaultPeerPort,
		EBGPMultiHop:    s.EBGPMultiHop,
		TTLSecurity:     s.TTLSecurity,
		GracefulRestart: s.GracefulRestart,
		NodeSelectors:   f.selectors("spec.nodeSelectors", s.NodeSelectors),
	}
	f.asns(s, &p)
	f.endpoint(s, &p)
	f.timers(s, &p)
	if s.RouterID != "" {
		p.RouterID = f.address("spec.routerID", s.RouterID)
		if p.RouterID.IsValid() && (!p.RouterID.Is4() || p.RouterID.IsUnspecified()) {
			f.reject(InvalidValue, "spec.routerID", s.RouterID, "must be an IPv4 address other than 0.0.0.0")
		}
	}
	if s.EBGPMultiHop && s.TTLSecurity {
		f.reject(InvalidValue, "spec.ttlSecurity", true, "excludes ebgpMultiHop: it is for a router one hop away")
	}
	return p
}

// asns judges the ASNs of both sides.
func (f *findings) asns(s *v1beta1.BGPPeerSpec, p *Peer) {
	p.MyASN = f.asn("spec.myASN", s.MyASN)
	switch {
	case s.PeerASN != 0 && s.DynamicASN != "":
		f.reject(InvalidValue, "spec.dynamicASN", string(s.DynamicASN), "excludes peerASN: give one of the two")
	case s.DynamicASN == v1beta1.DynamicInternal:
		p.Dynamic = DynamicInternal
	case s.DynamicASN == v1beta1.DynamicExternal:
		p.Dynamic = DynamicExternal
	case s.DynamicASN != "":
		f.reject(InvalidValue, "spec.dynamicASN", string(s.DynamicASN), "must be internal or external")
	case s.PeerASN == 0:
		f.reject(InvalidValue, "spec.peerASN", nil, "must be given, or else dynamicASN")
	default:
		p.PeerASN = f.asn("spec.peerASN", s.PeerASN)
	}
}

// asn judges one ASN.
func (f *findings) asn(field string, n int64) uint32 {
	if n < 1 || n > math.MaxUint32 {
		f.reject(InvalidValue, field, n, "must be from 1 to %d", uint32(math.MaxUint32))
		return 0
	}
	return uint32(n)
}

// endpoint judges where the router is and where the session comes from.
func (f *findings) endpoint(s *v1beta1.BGPPeerSpec, p *Peer) {
	switch {
	case s.PeerAddress != "" && s.Interface != "":
		f.reject(InvalidValue, "spec.interface", s.Interface, "excludes peerAddress: give one of the two")
	case s.PeerAddress != "":
		p.Address = f.address("spec.peerAddress", s.PeerAddress)
		if a := p.Address; a.IsUnspecified() || a.IsMulticast() || (a.Is6() && a.IsLinkLocalUnicast()) {
			f.reject(InvalidValue, "spec.peerAddress", s.PeerAddress,
				"must be the address of one router; for a link-local IPv6 address give interface instead")
		}
	case s.Interface != "":
		p.Interface = s.Interface
		f.deviceName("spec.interface", s.Interface)
	default:
		f.reject(InvalidValue, "spec.peerAddress", nil, "must be given, or else interface")
	}
	if s.PeerPort < 0 || s.PeerPort > math.MaxUint16 {
		f.reject(InvalidValue, "spec.peerPort", s.PeerPort, "must be from 1 to %d", math.MaxUint16)
	} else if s.PeerPort != 0 {
		p.Port = uint16(s.PeerPort)
	}
	if s.VRF != "" {
		p.VRF = s.VRF
		f.deviceName("spec.vrf", s.VRF)
	}
	if s.EBGPMultiHop && s.Interface != "" {
		f.reject(InvalidValue, "spec.ebgpMultiHop", true, "needs peerAddress: an unnumbered session is one hop")
	}
	f.source(s, p)
}

// source judges spec.sourceAddress.
func (f *findings) source(s *v1beta1.BGPPeerSpec, p *Peer) {
	const field = "spec.sourceAddress"
	if s.SourceAddress == "" {
		return
	}
	p.SourceAddress = f.address(field, s.SourceAddress)
	switch a := p.SourceAddress; {
	case !a.IsValid():
	case s.PeerAddress == "":
		f.reject(InvalidValue, field, s.SourceAddress, "needs peerAddress: an unnumbered session uses the interface's own address")
	case a.IsUnspecified() || a.IsMulticast():
		f.reject(InvalidValue, field, s.SourceAddress, "must be an address of the node")
	case p.Address.IsValid() && a.Is4() != p.Address.Is4():
		f.reject(InvalidValue, field, s.SourceAddress, "must be of the same address family as peerAddress %q", s.PeerAddress)
	}
}

// timers judges holdTime, keepaliveTime and connectTime.
func (f *findings) timers(s *v1beta1.BGPPeerSpec, p *Peer) {
	p.HoldTime, p.ConnectTime = defaultHoldTime, defaultConnectTime
	if s.HoldTime != nil {
		p.HoldTime = f.seconds("spec.holdTime", s.HoldTime.Duration)
		if h := s.HoldTime.Duration; h != 0 && (h < minHoldTime || h > maxHoldTime) {
			f.reject(InvalidValue, "spec.holdTime", h.String(), "must be 0s, or from 3s to 65535s")
		}
	}
	p.KeepaliveTime = (p.HoldTime / 3).Truncate(time.Second)
	if s.KeepaliveTime != nil {
		p.KeepaliveTime = f.seconds("spec.keepaliveTime", s.KeepaliveTime.Duration)
		switch k := s.KeepaliveTime.Duration; {
		case p.HoldTime == 0 && k != 0:
			f.reject(InvalidValue, "spec.keepaliveTime", k.String(), "must be 0s or left out when holdTime is 0s")
		case p.HoldTime != 0 && k < time.Second:
			f.reject(InvalidValue, "spec.keepaliveTime", k.String(), "must be at least 1s")
		case k > p.HoldTime/3:
			f.reject(InvalidValue, "spec.keepaliveTime", k.String(), "must be at most a third of holdTime %s", p.HoldTime)
		}
	}
	if s.ConnectTime != nil {
		p.ConnectTime = f.seconds("spec.connectTime", s.ConnectTime.Duration)
		if t := s.ConnectTime.Duration; t < time.Second || t > maxHoldTime {
			f.reject(InvalidValue, "spec.connectTime", t.String(), "must be from 1s to 65535s")
		}
	}
}

// seconds judges a timer that goes over the wire in seconds.
func (f *findings) seconds(field string, d time.Duration) time.Duration {
	if d%time.Second != 0 {
		f.reject(InvalidValue, field, d.String(), "must be whole seconds")
	}
	return d
}

// address judges one address; it is invalid when rejected.
func (f *findings) address(field, text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		f.reject(InvalidValue, field, text, "must be an IPv4 or IPv6 address")
		return netip.Addr{}
	}
	return a
}
