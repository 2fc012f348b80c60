package arping

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// Kind tells answers from announcements.
type Kind string

// The kinds of frames in which a host claims an address.
const (
	// Solicited is an answer to our question.
	Solicited Kind = "answer"
	// Unsolicited is an announcement to everybody: gratuitous ARP, or a
	// neighbor advertisement to all nodes.
	Unsolicited Kind = "announcement"
)

// Claim is one frame in which somebody says to have the address.
type Claim struct {
	Kind Kind
	// MAC is the link-layer address that the frame says to use.
	MAC net.HardwareAddr
	// Source is the link-layer address that sent the frame.
	Source net.HardwareAddr
}

// Parse reads a frame and reports whether it claims target, either in answer
// to me or to everybody. Frames that a correct host must ignore claim nothing.
func Parse(frame []byte, target netip.Addr, me net.HardwareAddr) (Claim, bool) {
	if len(frame) < etherHeader {
		return Claim{}, false
	}
	var (
		c  Claim
		ok bool
		to = net.HardwareAddr(frame[0:6])
	)
	switch kind := binary.BigEndian.Uint16(frame[12:]); {
	case kind == etherARP && target.Is4():
		c, ok = parseARP(frame[etherHeader:], target)
	case kind == etherIPv6 && target.Is6():
		c, ok = parseNA(frame[etherHeader:], target)
	}
	if !ok {
		return Claim{}, false
	}
	c.Source = bytes.Clone(frame[6:12])
	if c.MAC == nil {
		c.MAC = c.Source
	}
	group := to[0]&1 == 1
	if c.Kind == Solicited && group {
		c.Kind = Unsolicited // an answer to everybody is an announcement
	}
	if !group && !bytes.Equal(to, me) {
		return Claim{}, false // somebody else's, seen because a switch floods
	}
	return c, true
}

// parseARP reads the ARP packet of a frame.
func parseARP(b []byte, target netip.Addr) (Claim, bool) {
	if len(b) < 28 || !bytes.Equal(b[:6], []byte{0, 1, 0x08, 0x00, 6, 4}) {
		return Claim{}, false
	}
	if netip.AddrFrom4([4]byte(b[14:18])) != target {
		return Claim{}, false
	}
	c := Claim{MAC: bytes.Clone(b[8:14])}
	switch binary.BigEndian.Uint16(b[6:]) {
	case opReply:
		c.Kind = Solicited
	case opRequest: // from the address itself: gratuitous (RFC 5227 3)
		c.Kind = Unsolicited
	default:
		return Claim{}, false
	}
	return c, true
}

// parseNA reads the neighbor advertisement of a frame. It refuses what RFC 4861
// 7.1.2 says a host must.
func parseNA(b []byte, target netip.Addr) (Claim, bool) {
	if len(b) < ipv6Header || b[0]>>4 != 6 || b[6] != protoICMPv6 || b[7] != 255 {
		return Claim{}, false
	}
	size := int(binary.BigEndian.Uint16(b[4:]))
	if size < 24 || len(b) < ipv6Header+size {
		return Claim{}, false
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	icmp := b[ipv6Header : ipv6Header+size]
	if icmp[0] != neighborNA || icmp[1] != 0 || checksum(src, dst, icmp) != 0 {
		return Claim{}, false
	}
	if netip.AddrFrom16([16]byte(icmp[8:24])) != target {
		return Claim{}, false
	}
	c := Claim{Kind: Unsolicited}
	if icmp[4]&0x40 != 0 { // the flag S
		if dst.IsMulticast() {
			return Claim{}, false
		}
		c.Kind = Solicited
	}
	mac, ok := targetOption(icmp[24:])
	c.MAC = mac
	return c, ok
}

// targetOption returns the target link-layer address among the options of an
// advertisement, nil when there is none, and false when they are malformed.
func targetOption(b []byte) (net.HardwareAddr, bool) {
	var mac net.HardwareAddr
	for len(b) > 0 {
		if len(b) < 8 || b[1] == 0 || len(b) < int(b[1])*8 {
			return nil, false
		}
		if b[0] == optTarget && b[1] == 1 {
			mac = bytes.Clone(b[2:8])
		}
		b = b[int(b[1])*8:]
	}
	return mac, true
}
