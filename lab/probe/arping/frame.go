package arping

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// Sizes and numbers of the frames that are asked and read.
const (
	etherHeader = 14
	ipv6Header  = 40
	etherARP    = 0x0806
	etherIPv6   = 0x86dd
	protoICMPv6 = 58
	neighborNS  = 135 // RFC 4861 4.3
	neighborNA  = 136 // RFC 4861 4.4
	optSource   = 1   // RFC 4861 4.6.1
	optTarget   = 2
	opRequest   = 1
	opReply     = 2
)

// broadcast is the link-layer address of everybody.
var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Identity is who asks: addresses that no host of the segment has.
type Identity struct {
	MAC net.HardwareAddr
	// IP is of the family of the address that is asked for.
	IP netip.Addr
}

// Question returns the frame by which id asks who has target. It is sent to
// everybody when to is nil, and else to the one host with that link-layer
// address, as a host does that checks whether its neighbor is still there
// (RFC 1122 2.3.2.1, RFC 4861 7.3.3).
func Question(id Identity, target netip.Addr, to net.HardwareAddr) []byte {
	if target.Is4() {
		return arpRequest(id, target, to)
	}
	return solicitation(id, target, to)
}

// arpRequest returns an ARP request (RFC 826).
func arpRequest(id Identity, target netip.Addr, to net.HardwareAddr) []byte {
	if to == nil {
		to = broadcast
	}
	b := ethernet(to, id.MAC, etherARP)
	b = append(b, 0, 1, 0x08, 0x00, 6, 4, 0, opRequest) // Ethernet, IPv4
	b = append(b, id.MAC...)
	b = append(b, id.IP.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target.AsSlice()...)
}

// solicitation returns a neighbor solicitation (RFC 4861 4.3).
func solicitation(id Identity, target netip.Addr, to net.HardwareAddr) []byte {
	dst := target // RFC 4861 7.3.3: a probe goes to the address itself
	if to == nil {
		dst = solicitedNode(target)
		to = multicastMAC(dst)
	}
	icmp := []byte{neighborNS, 0, 0, 0, 0, 0, 0, 0}
	icmp = append(icmp, target.AsSlice()...)
	icmp = append(icmp, optSource, 1)
	icmp = append(icmp, id.MAC...)
	binary.BigEndian.PutUint16(icmp[2:], checksum(id.IP, dst, icmp))

	return ipv6(ethernet(to, id.MAC, etherIPv6), id.IP, dst, icmp)
}

// ipv6 appends a message of neighbor discovery to the header of a frame.
func ipv6(b []byte, src, dst netip.Addr, icmp []byte) []byte {
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(icmp)))
	b = append(b, protoICMPv6, 255) // RFC 4861 4.3: hop limit 255
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	return append(b, icmp...)
}

// ethernet returns the header of a frame.
func ethernet(to, from net.HardwareAddr, kind uint16) []byte {
	b := make([]byte, 0, 96)
	b = append(append(b, to...), from...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// solicitedNode returns the group that hosts with target listen to (RFC 4291
// 2.7.1).
func solicitedNode(target netip.Addr) netip.Addr {
	g := [16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff}
	t := target.As16()
	copy(g[13:], t[13:])
	return netip.AddrFrom16(g)
}

// multicastMAC returns the link-layer address of an IPv6 group (RFC 2464 7).
func multicastMAC(group netip.Addr) net.HardwareAddr {
	g := group.As16()
	return net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}
}

// checksum returns the ICMPv6 checksum of a message (RFC 4443 2.3). Over a
// message that carries its checksum the result is zero.
func checksum(src, dst netip.Addr, icmp []byte) uint16 {
	sum := uint32(len(icmp)) + protoICMPv6
	add := func(b []byte) {
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		if len(b)%2 == 1 {
			sum += uint32(b[len(b)-1]) << 8
		}
	}
	add(src.AsSlice())
	add(dst.AsSlice())
	add(icmp)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// linkLocal returns the IPv6 link-local address of mac (RFC 4291 appendix A).
func linkLocal(mac net.HardwareAddr) netip.Addr {
	a := [16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
	return netip.AddrFrom16(a)
}

// observerNumber is the last part of the IPv4 address that questions come
// from. No host of a lab has it.
const observerNumber = 9

// NewIdentity returns who asks for target on the segments that the asking host
// is on. random makes the link-layer address.
func NewIdentity(target netip.Addr, segments []netip.Prefix, random [4]byte) (Identity, error) {
	// 02: locally administered, unicast.
	id := Identity{MAC: net.HardwareAddr{0x02, 0x0b, random[0], random[1], random[2], random[3]}}
	if target.Is6() {
		id.IP = linkLocal(id.MAC)
		return id, nil
	}
	for _, p := range segments {
		if p.Addr().Is4() {
			b := p.Masked().Addr().As4()
			b[3] += observerNumber
			id.IP = netip.AddrFrom4(b)
			return id, nil
		}
	}
	return Identity{}, fmt.Errorf("ask for %s: the interface has no IPv4 address", target)
}
