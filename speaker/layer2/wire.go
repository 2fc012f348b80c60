package layer2

import (
	"net"
	"net/netip"

	"golang.org/x/net/bpf"
)

// A mac is an Ethernet address that can be compared.
type mac [6]byte

// broadcast is every station of a link.
var broadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// toMAC converts a hardware address; ok is false when it is not Ethernet's.
func toMAC(a net.HardwareAddr) (m mac, ok bool) {
	if len(a) != len(m) {
		return mac{}, false
	}
	return mac(a), mac(a) != mac{}
}

// hw returns the address for a library's door.
func (m mac) hw() net.HardwareAddr { return net.HardwareAddr(m[:]) }

// String returns the address as people write it.
func (m mac) String() string { return m.hw().String() }

// station reports whether m can be the address of one station: not zero, and
// not a group.
func (m mac) station() bool { return m != mac{} && m[0]&1 == 0 }

// A wire is the neighbour protocol of one family: pure, frames in and out.
type wire interface {
	// etherType is what the family's frames carry.
	etherType() uint16
	// key returns the part of an address that a filter looks at.
	key(addr netip.Addr) uint32
	// filter returns a socket program that passes every frame that answer
	// could act on when it holds the addresses of these keys, which are sorted,
	// and little else. A smaller limit makes a shorter program that passes more.
	filter(keys []uint32, limit int) ([]bpf.RawInstruction, error)
	// answer decides what a received frame gets.
	answer(frame []byte, h *holding) verdict
	// announce returns the frames that tell every station of a link that addr
	// is at self; the full form is one more.
	announce(addr netip.Addr, self mac, full bool) ([]outFrame, error)
	// probe returns the frame that asks every station of a link for addr
	// without a claim to it, from self.
	probe(addr netip.Addr, self mac) (outFrame, error)
	// group returns the multicast group in which questions about addr arrive;
	// ok is false when they are broadcast.
	group(addr netip.Addr) (group netip.Addr, ok bool)
}

// A holding is what an answer depends on, at one interface and in one family.
type holding struct {
	// self is the hardware address of the interface.
	self mac
	// own has the hardware addresses of all interfaces of this host, so that
	// two of them on one link do not take each other for strangers.
	own map[mac]bool
	// addrs are those that matter here, and what they are to us.
	addrs map[netip.Addr]stance
}

// A stance is what an address is to a port; zero means nothing.
type stance int

// The stances.
const (
	// announced: it is answered for, announced, and defended.
	announced stance = iota + 1
	// yielded: it is answered for until another station claims it.
	yielded
	// probed: it is not answered for, because another station may have it.
	probed
)

// answers reports whether questions about the address get an answer.
func (s stance) answers() bool { return s == announced || s == yielded }

// ours reports whether a hardware address belongs to this host.
func (h *holding) ours(m mac) bool { return m == h.self || h.own[m] }

// An outFrame is a frame to send and the station it goes to.
type outFrame struct {
	to   mac
	data []byte
}

// A verdict is what a received frame gets.
type verdict struct {
	outcome outcome
	// reply is what to send; set when outcome is answered.
	reply outFrame
	// addr and by are the address of ours that another station claims, or
	// asks for in order to have it while we do the same, and that station; set
	// when outcome is claimed.
	addr netip.Addr
	by   mac
}

// An outcome says what became of a received frame; zero means not set.
type outcome int

// The outcomes.
const (
	// answered: a reply was sent.
	answered outcome = iota + 1
	// notOurs: the question is about an address that is not held here.
	notOurs
	// notRequest: the frame asks nothing and claims none of our addresses.
	notRequest
	// claimed: another station claims one of our addresses.
	claimed
	// claimedByFellow: a fellow speaker claims one of our addresses.
	claimedByFellow
	// withheld: the question is about an address that is probed.
	withheld
	// malformed: the frame breaks the rules of its protocol.
	malformed
	// sendFailed: the reply could not be sent.
	sendFailed

	outcomes
)

// String returns the outcome as it stands in metrics.
func (o outcome) String() string {
	switch o {
	case answered:
		return "answered"
	case notOurs:
		return "not_ours"
	case notRequest:
		return "not_request"
	case claimed:
		return "claimed"
	case claimedByFellow:
		return "fellow"
	case withheld:
		return "withheld"
	case malformed:
		return "malformed"
	case sendFailed:
		return "send_failed"
	default:
		return "unset"
	}
}
