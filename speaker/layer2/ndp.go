package layer2

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
)

// ndpWire is the neighbour protocol of IPv6 (RFC 4861).
type ndpWire struct{}

var _ wire = ndpWire{}

// Offsets into an Ethernet frame that carries an ICMPv6 message right behind
// the IPv6 header, as neighbor discovery does.
const (
	ipLength   = 18
	ipNext     = 20
	ipHopLimit = 21
	ipSource   = 22
	ipDest     = 38
	icmpType   = 54
	icmpCode   = 55
	icmpTarget = 62
	icmpEnd    = 78 // of a message without options
)

// The values that neighbor messages have in these fields.
const (
	protocolICMPv6   = 58
	typeSolicitation = 135
	typeAdvert       = 136
	// maxHopLimit proves that no router has forwarded the message.
	maxHopLimit = 255
)

// allNodes is the group of all nodes of a link, and allNodesMAC its address.
var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = mac{0x33, 0x33, 0, 0, 0, 1}
)

// An ndpFrame is a received neighbor message with what we need of it.
type ndpFrame struct {
	advert bool
	source mac // of the Ethernet frame
	from   netip.Addr
	target netip.Addr
	link   mac // the link-layer address option, zero when there is none
}

// parseNDP reads a frame. It refuses what RFC 4861 sections 7.1.1 and 7.1.2
// call invalid.
func parseNDP(b []byte) (f ndpFrame, ok bool) {
	if len(b) < icmpEnd || [2]byte(b[12:14]) != [2]byte{0x86, 0xdd} || b[14]>>4 != 6 ||
		b[ipNext] != protocolICMPv6 || b[ipHopLimit] != maxHopLimit || b[icmpCode] != 0 {
		return ndpFrame{}, false
	}
	end := icmpType + int(binary.BigEndian.Uint16(b[ipLength:]))
	if end < icmpEnd || end > len(b) || !validChecksum(b[ipSource:end]) {
		return ndpFrame{}, false
	}
	m, err := ndp.ParseMessage(b[icmpType:end])
	if err != nil {
		return ndpFrame{}, false
	}
	dest := netip.AddrFrom16([16]byte(b[ipDest:]))
	f = ndpFrame{source: mac(b[6:12]), from: netip.AddrFrom16([16]byte(b[ipSource:]))}
	switch m := m.(type) {
	case *ndp.NeighborSolicitation:
		f.target, f.link = m.TargetAddress, linkOption(m.Options, ndp.Source)
		// Who has no address yet asks the group, and names no link address.
		ok = !f.from.IsUnspecified() || (dest.IsMulticast() && f.link == mac{})
	case *ndp.NeighborAdvertisement:
		f.advert, f.target, f.link = true, m.TargetAddress, linkOption(m.Options, ndp.Target)
		ok = !dest.IsMulticast() || !m.Solicited
	}
	// RFC 4291 section 2.7: no message comes from a group.
	return f, ok && f.source.station() && !f.from.IsMulticast() && !f.target.IsMulticast()
}

// linkOption returns the link-layer address in options, zero when there is
// none that is Ethernet's.
func linkOption(options []ndp.Option, d ndp.Direction) mac {
	for _, o := range options {
		if l, ok := o.(*ndp.LinkLayerAddress); ok && l.Direction == d {
			m, _ := toMAC(l.Addr)
			return m
		}
	}
	return mac{}
}

// validChecksum checks an ICMPv6 message that follows its source and
// destination addresses (RFC 4443 section 2.3).
func validChecksum(b []byte) bool { return onesSum(b) == 0xffff }

// onesSum is the sum that an ICMPv6 checksum is the complement of.
func onesSum(b []byte) uint16 {
	sum := uint32(len(b)-32) + protocolICMPv6
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func (ndpWire) etherType() uint16 { return uint16(ethernet.EtherTypeIPv6) }

func (ndpWire) group(addr netip.Addr) (netip.Addr, bool) {
	group, err := ndp.SolicitedNodeMulticast(addr)
	return group, err == nil
}

// answer replies to solicitations for our addresses, to the group and to this
// station alone (RFC 4861 section 7.3: reachability probes), and notices when
// another station advertises one, speaks from it, or probes for one that we
// probe for (RFC 4862 section 5.4.3).
func (ndpWire) answer(frame []byte, h *holding) verdict {
	f, ok := parseNDP(frame)
	if !ok {
		return verdict{outcome: malformed}
	}
	to, dest := f.source, f.from
	if f.link.station() {
		to = f.link
	}
	s, foreign := h.addrs[f.target], !h.ours(to)
	switch {
	case foreign && h.addrs[f.from] != 0:
		return verdict{outcome: claimed, addr: f.from, by: to}
	case s == 0:
		return verdict{outcome: notOurs}
	case foreign && (f.advert || s == probed && f.from.IsUnspecified()):
		return verdict{outcome: claimed, addr: f.target, by: to}
	case f.advert:
		return verdict{outcome: notRequest} // our own, come back
	case s == probed:
		return verdict{outcome: withheld}
	}
	// RFC 4861 section 7.2.4: an answer to nobody in particular goes to all.
	if f.from.IsUnspecified() {
		to, dest = allNodesMAC, allNodes
	}
	reply, err := advertise(f.target, h.self, to, dest)
	if err != nil {
		return verdict{outcome: malformed}
	}
	return verdict{outcome: answered, reply: reply}
}

// announce returns an unsolicited advertisement (RFC 4861 section 7.2.6).
func (ndpWire) announce(addr netip.Addr, self mac, _ bool) ([]outFrame, error) {
	f, err := advertise(addr, self, allNodesMAC, allNodes)
	return []outFrame{f}, err
}

// probe returns a solicitation from nobody (RFC 4862 section 5.4.2).
func (ndpWire) probe(addr netip.Addr, self mac) (outFrame, error) {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return outFrame{}, fmt.Errorf("neighbor solicitation for %s: %w", addr, err)
	}
	low := group.As16()
	to := mac{0x33, 0x33, low[12], low[13], low[14], low[15]} // RFC 2464 section 7
	ns := &ndp.NeighborSolicitation{TargetAddress: addr}
	return ndpTo(to, self, ns, netip.IPv6Unspecified(), group)
}

// advertise builds a neighbor advertisement: with the override flag, so that
// it replaces what a neighbour knows, and solicited unless it goes to all.
func advertise(target netip.Addr, self, to mac, dest netip.Addr) (outFrame, error) {
	return ndpTo(to, self, &ndp.NeighborAdvertisement{
		Solicited:     dest != allNodes,
		Override:      true,
		TargetAddress: target,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: self.hw()}},
	}, target, dest)
}

// ndpTo builds a frame with a neighbor message from one address to another.
func ndpTo(to, self mac, m ndp.Message, from, dest netip.Addr) (outFrame, error) {
	body, err := ndp.MarshalMessageChecksum(m, from, dest)
	if err != nil {
		return outFrame{}, fmt.Errorf("neighbor message from %s: %w", from, err)
	}
	header := make([]byte, 40, 40+len(body))
	header[0] = 6 << 4
	binary.BigEndian.PutUint16(header[4:], uint16(len(body)))
	header[6], header[7] = protocolICMPv6, maxHopLimit
	copy(header[8:], from.AsSlice())
	copy(header[24:], dest.AsSlice())

	f := ethernet.Frame{
		Destination: to.hw(),
		Source:      self.hw(),
		EtherType:   ethernet.EtherTypeIPv6,
		Payload:     append(header, body...),
	}
	data, err := f.MarshalBinary()
	if err != nil {
		return outFrame{}, fmt.Errorf("neighbor message from %s: %w", from, err)
	}
	return outFrame{to: to, data: data}, nil
}

// key returns the last 32 bits of an address. The responder looks at all.
func (ndpWire) key(addr netip.Addr) uint32 {
	b := addr.As16()
	return binary.BigEndian.Uint32(b[12:])
}

// filter passes neighbor messages about addresses, and those sent from one.
func (ndpWire) filter(keys []uint32, limit int) ([]bpf.RawInstruction, error) {
	return assemble(ndpProgram(keys, limit))
}

// ndpProgram is the filter without the part that looks at how a frame came.
func ndpProgram(keys []uint32, limit int) []bpf.Instruction {
	spans := cover(keys, limit)
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: ipNext, Size: 2}, // with the hop limit behind it
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolICMPv6<<8 | maxHopLimit, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: icmpType, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeSolicitation, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeAdvert, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: icmpTarget + 12, Size: 4},
	}
	program = append(program, match(spans)...)
	program = append(program, bpf.LoadAbsolute{Off: ipSource + 12, Size: 4})
	return append(append(program, match(spans)...), drop)
}
