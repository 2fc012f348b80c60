package layer2

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"golang.org/x/net/bpf"
)

// arpWire is the neighbour protocol of IPv4 (RFC 826, RFC 5227).
type arpWire struct{}

var _ wire = arpWire{}

// Offsets into an Ethernet frame that carries ARP for IPv4.
const (
	arpOperation = 20
	arpSenderMAC = 22
	arpSender    = 28
	arpTarget    = 38
	arpEnd       = 42
)

// arpHeader is what the frame has from the ether type to the operation: ARP,
// Ethernet, IPv4, and the lengths of their addresses.
var arpHeader = [8]byte{0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4}

// An arpFrame is a received ARP packet with what we need of it.
type arpFrame struct {
	operation      arp.Operation
	source         mac // of the Ethernet frame
	destination    mac // of the Ethernet frame
	senderMAC      mac
	sender, target netip.Addr
}

// parseARP reads a frame without allocating. It refuses what is not ARP for
// IPv4 on Ethernet, and a sender that is not one station.
func parseARP(b []byte) (f arpFrame, ok bool) {
	if len(b) < arpEnd || [8]byte(b[12:20]) != arpHeader {
		return arpFrame{}, false
	}
	f = arpFrame{
		operation:   arp.Operation(binary.BigEndian.Uint16(b[arpOperation:])),
		destination: mac(b[0:6]),
		source:      mac(b[6:12]),
		senderMAC:   mac(b[arpSenderMAC:arpSender]),
		sender:      netip.AddrFrom4([4]byte(b[arpSender:])),
		target:      netip.AddrFrom4([4]byte(b[arpTarget:])),
	}
	return f, f.senderMAC.station() && f.source.station()
}

func (arpWire) etherType() uint16 { return uint16(ethernet.EtherTypeARP) }

func (arpWire) group(netip.Addr) (netip.Addr, bool) { return netip.Addr{}, false }

// answer replies to requests for our addresses, the probes of RFC 5227 (sender
// 0.0.0.0) among them, and notices when another station sends from one, or
// probes for one that we probe for (RFC 5227 section 2.1.1).
func (arpWire) answer(frame []byte, h *holding) verdict {
	f, ok := parseARP(frame)
	if !ok {
		return verdict{outcome: malformed}
	}
	if h.addrs[f.sender] != 0 && !h.ours(f.senderMAC) {
		return verdict{outcome: claimed, addr: f.sender, by: f.senderMAC}
	}
	if f.operation != arp.OperationRequest {
		return verdict{outcome: notRequest}
	}
	s := h.addrs[f.target]
	switch {
	case s == 0 || (f.destination != broadcast && f.destination != h.self):
		return verdict{outcome: notOurs}
	case f.sender == f.target:
		return verdict{outcome: notRequest} // an announcement of our own, come back
	case s == probed && f.sender.IsUnspecified() && !h.ours(f.senderMAC):
		return verdict{outcome: claimed, addr: f.target, by: f.senderMAC}
	case s == probed:
		return verdict{outcome: withheld}
	}
	reply, err := arpTo(f.senderMAC, arp.OperationReply, arpParty{h.self, f.target}, arpParty{f.senderMAC, f.sender})
	if err != nil {
		return verdict{outcome: malformed}
	}
	return verdict{outcome: answered, reply: reply}
}

// announce returns a gratuitous request, the form of RFC 5227 section 2.3, and
// in the full form a gratuitous reply as well, for systems that learn from
// nothing else.
func (arpWire) announce(addr netip.Addr, self mac, full bool) ([]outFrame, error) {
	us := arpParty{self, addr}
	request, err := arpTo(broadcast, arp.OperationRequest, us, arpParty{mac{}, addr})
	if err != nil || !full {
		return []outFrame{request}, err
	}
	reply, err := arpTo(broadcast, arp.OperationReply, us, arpParty{broadcast, addr})
	return []outFrame{request, reply}, err
}

// probe returns a request from nobody (RFC 5227 section 1.1).
func (arpWire) probe(addr netip.Addr, self mac) (outFrame, error) {
	return arpTo(broadcast, arp.OperationRequest, arpParty{self, netip.IPv4Unspecified()}, arpParty{mac{}, addr})
}

// An arpParty is the sender or the target of a packet.
type arpParty struct {
	mac  mac
	addr netip.Addr
}

// arpTo builds a frame. A received packet is never marshalled again: what it
// says about its own lengths cannot be trusted.
func arpTo(to mac, op arp.Operation, sender, target arpParty) (outFrame, error) {
	p, err := arp.NewPacket(op, sender.mac.hw(), sender.addr, target.mac.hw(), target.addr)
	if err != nil {
		return outFrame{}, fmt.Errorf("arp packet for %s: %w", sender.addr, err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return outFrame{}, fmt.Errorf("arp packet for %s: %w", sender.addr, err)
	}
	f := ethernet.Frame{
		Destination: to.hw(),
		Source:      sender.mac.hw(),
		EtherType:   ethernet.EtherTypeARP,
		Payload:     payload,
	}
	data, err := f.MarshalBinary()
	if err != nil {
		return outFrame{}, fmt.Errorf("arp frame for %s: %w", sender.addr, err)
	}
	return outFrame{to: to, data: data}, nil
}

func (arpWire) key(addr netip.Addr) uint32 {
	b := addr.As4()
	return binary.BigEndian.Uint32(b[:])
}

// filter passes requests for addresses, and whatever is sent from one of them.
func (arpWire) filter(keys []uint32, limit int) ([]bpf.RawInstruction, error) {
	return assemble(arpProgram(keys, limit))
}

// arpProgram is the filter without the part that looks at how a frame came.
func arpProgram(keys []uint32, limit int) []bpf.Instruction {
	spans := cover(keys, limit)
	target := append([]bpf.Instruction{bpf.LoadAbsolute{Off: arpTarget, Size: 4}}, match(spans)...)

	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: arpOperation, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(arp.OperationRequest), SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(target))},
	}
	program = append(program, target...)
	program = append(program, bpf.LoadAbsolute{Off: arpSender, Size: 4})
	program = append(program, match(spans)...)
	return append(program, drop)
}
