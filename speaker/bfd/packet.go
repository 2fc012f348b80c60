package bfd

import (
	"encoding/binary"
	"errors"
	"time"
)

// packetLen is the length of a packet without authentication.
const packetLen = 24

// Bits of the second byte of a packet (RFC 5880 section 4.1). Control plane
// independent, 0x08, is left clear: sessions end with this process.
const (
	flagPoll           = 0x20
	flagFinal          = 0x10
	flagAuthentication = 0x04
	flagDemand         = 0x02
	flagMultipoint     = 0x01
)

// A packet is a BFD control packet. Mine and yours are discriminators as the
// sender sees them.
type packet struct {
	state               State
	diagnostic          Diagnostic
	poll, final, demand bool
	multiplier          uint8
	mine, yours         uint32
	// minTx is the interval that the sender would like to send at, minRx the
	// one that it can receive at; minEcho is how it can echo, zero for not.
	minTx, minRx, minEcho time.Duration
}

// The reasons for which a packet is discarded, in the order of RFC 5880 section
// 6.8.6.
var (
	errShort          = errors.New("packet is too short")
	errVersion        = errors.New("version is not 1")
	errLength         = errors.New("length does not fit")
	errMultiplier     = errors.New("detection multiplier is zero")
	errMultipoint     = errors.New("multipoint bit is set")
	errMine           = errors.New("discriminator of the sender is zero")
	errYours          = errors.New("no discriminator of ours in a state that needs one")
	errAuthentication = errors.New("authentication is not in use")
)

// appendTo appends p to b as it goes over the wire.
func (p *packet) appendTo(b []byte) []byte {
	flags := byte(p.state-AdminDown) << 6
	if p.poll {
		flags |= flagPoll
	}
	if p.final {
		flags |= flagFinal
	}
	if p.demand {
		flags |= flagDemand
	}
	b = append(b, 1<<5|byte(p.diagnostic), flags, p.multiplier, packetLen)
	b = binary.BigEndian.AppendUint32(b, p.mine)
	b = binary.BigEndian.AppendUint32(b, p.yours)
	for _, d := range [...]time.Duration{p.minTx, p.minRx, p.minEcho} {
		b = binary.BigEndian.AppendUint32(b, uint32(d/time.Microsecond))
	}
	return b
}

// parse reads a packet by the rules of RFC 5880 section 6.8.6 that need no
// session. What follows the packet in b is ignored, as it says.
func (p *packet) parse(b []byte) error {
	switch {
	case len(b) < packetLen:
		return errShort
	case b[0]>>5 != 1:
		return errVersion
	case b[3] < packetLen || int(b[3]) > len(b):
		return errLength
	case b[2] == 0:
		return errMultiplier
	case b[1]&flagMultipoint != 0:
		return errMultipoint
	}
	*p = packet{
		state:      State(b[1]>>6) + AdminDown,
		diagnostic: Diagnostic(b[0] & 0x1f),
		poll:       b[1]&flagPoll != 0,
		final:      b[1]&flagFinal != 0,
		demand:     b[1]&flagDemand != 0,
		multiplier: b[2],
		mine:       binary.BigEndian.Uint32(b[4:]),
		yours:      binary.BigEndian.Uint32(b[8:]),
		minTx:      microseconds(b[12:]),
		minRx:      microseconds(b[16:]),
		minEcho:    microseconds(b[20:]),
	}
	switch {
	case p.mine == 0:
		return errMine
	case p.yours == 0 && p.state != Down && p.state != AdminDown:
		return errYours
	case b[1]&flagAuthentication != 0:
		return errAuthentication
	}
	return nil
}

// microseconds reads an interval.
func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
