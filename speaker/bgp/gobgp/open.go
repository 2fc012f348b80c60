package gobgp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Codes of capabilities (RFC 5492).
const (
	capMultiprotocol   = 1  // RFC 4760
	capRefresh         = 2  // RFC 2918
	capExtendedNextHop = 5  // RFC 8950
	capRestart         = 64 // RFC 4724
	capASN4            = 65 // RFC 6793
)

const (
	optionCapabilities = 2   // RFC 5492
	optionExtended     = 255 // RFC 9072
	asnTrans           = 23456
	safiUnicast        = 1
	afiIPv4, afiIPv6   = 1, 2
)

// extendedNextHop is an element of that capability: IPv4 unicast prefixes may have
// IPv6 next hops (RFC 8950 section 4).
var extendedNextHop = []byte{0, afiIPv4, 0, safiUnicast, 0, afiIPv6}

// An open is what this package understands of an OPEN.
type open struct {
	asn  uint32
	hold uint16 // seconds
	id   netip.Addr
	// asn4 tells that ASNs have four octets.
	asn4 bool
	// multiprotocol tells that families are named at all.
	multiprotocol, ipv4, ipv6 bool
	refresh                   bool
	restart                   bool
	// extendedNextHop tells that IPv4 prefixes may have IPv6 next hops.
	extendedNextHop bool
}

// A capability is one of an OPEN.
type capability struct {
	code  byte
	value []byte
}

var errTruncated = errors.New("an option ends early")

// parseOpen reads the body of an OPEN. An error is a *fault.
func parseOpen(b []byte) (open, error) {
	if len(b) < minOpen-headerLength {
		return open{}, &fault{code: 1, subcode: 2, words: "the router's OPEN is too short"}
	}
	if b[0] != 4 {
		return open{}, &fault{code: 2, subcode: 1, data: []byte{0, 4}, words: fmt.Sprintf("the router's OPEN is of version %d of BGP", b[0])}
	}
	o := open{
		asn:  uint32(binary.BigEndian.Uint16(b[1:])),
		hold: binary.BigEndian.Uint16(b[3:]),
		id:   netip.AddrFrom4([4]byte(b[5:9])),
	}
	caps, err := capabilities(b[9:])
	if _, ok := errors.AsType[*fault](err); ok {
		return open{}, err
	}
	if err != nil {
		return open{}, &fault{code: 2, words: "the router's OPEN cannot be read: " + err.Error()}
	}
	for _, c := range caps {
		o.learn(c)
	}
	if !o.multiprotocol {
		o.ipv4 = true // RFC 4760 section 8
	}
	switch {
	case o.asn == 0:
		return open{}, &fault{code: 2, subcode: 2, words: "the router's OPEN has ASN 0"}
	case o.hold == 1 || o.hold == 2:
		return open{}, &fault{code: 2, subcode: 6, words: fmt.Sprintf("the router's OPEN has a hold time of %d s", o.hold)}
	case o.id.IsUnspecified():
		return open{}, &fault{code: 2, subcode: 3, words: "the router's OPEN has router id 0.0.0.0"}
	}
	return o, nil
}

// learn takes a capability into account. One that is unknown or malformed is as
// good as absent (RFC 5492 section 4).
func (o *open) learn(c capability) {
	v := c.value
	switch {
	case c.code == capMultiprotocol && len(v) == 4:
		o.multiprotocol = true
		if v[3] == safiUnicast {
			afi := binary.BigEndian.Uint16(v)
			o.ipv4 = o.ipv4 || afi == afiIPv4
			o.ipv6 = o.ipv6 || afi == afiIPv6
		}
	case c.code == capRefresh:
		o.refresh = true
	case c.code == capASN4 && len(v) == 4:
		o.asn4, o.asn = true, binary.BigEndian.Uint32(v)
	case c.code == capRestart && len(v) >= 2:
		o.restart = true
	case c.code == capExtendedNextHop:
		for ; len(v) >= len(extendedNextHop); v = v[len(extendedNextHop):] {
			o.extendedNextHop = o.extendedNextHop || bytes.HasPrefix(v, extendedNextHop)
		}
	}
}

// capabilities returns those in the optional parameters of an OPEN, which start
// with their length.
func capabilities(b []byte) ([]capability, error) {
	length, wide := int(b[0]), 1
	b = b[1:]
	if length == optionExtended && len(b) >= 3 && b[0] == optionExtended {
		length, wide = int(binary.BigEndian.Uint16(b[1:])), 2
		b = b[3:]
	}
	if len(b) != length {
		return nil, errTruncated
	}
	var all []capability
	for len(b) > 0 {
		kind, value, rest, err := tlv(b, wide)
		if err != nil {
			return nil, err
		}
		b = rest
		if kind != optionCapabilities {
			return nil, &fault{code: 2, subcode: 4, words: fmt.Sprintf("the router's OPEN has the unknown optional parameter %d", kind)}
		}
		for len(value) > 0 {
			var c capability
			if c.code, c.value, value, err = tlv(value, 1); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// tlv splits off a type, a length of one or two octets, and a value.
func tlv(b []byte, wide int) (kind byte, value, rest []byte, err error) {
	if len(b) < 1+wide {
		return 0, nil, nil, errTruncated
	}
	length := int(b[1])
	if wide == 2 {
		length = int(binary.BigEndian.Uint16(b[1:]))
	}
	if len(b) < 1+wide+length {
		return 0, nil, nil, errTruncated
	}
	b0 := b[0]
	b = b[1+wide:]
	return b0, b[:length:length], b[length:], nil
}

// marshal returns an OPEN.
func (o open) marshal() []byte {
	var caps []capability
	if o.multiprotocol {
		if o.ipv4 {
			caps = append(caps, capability{capMultiprotocol, []byte{0, afiIPv4, 0, safiUnicast}})
		}
		if o.ipv6 {
			caps = append(caps, capability{capMultiprotocol, []byte{0, afiIPv6, 0, safiUnicast}})
		}
	}
	if o.refresh {
		caps = append(caps, capability{code: capRefresh})
	}
	if o.restart {
		caps = append(caps, capability{capRestart, []byte{0, 0}})
	}
	asn := o.asn
	if o.asn4 {
		caps = append(caps, capability{capASN4, binary.BigEndian.AppendUint32(nil, asn)})
	}
	if asn > 1<<16-1 {
		asn = asnTrans
	}
	b := binary.BigEndian.AppendUint16([]byte{4}, uint16(asn))
	b = binary.BigEndian.AppendUint16(b, o.hold)
	b = append(b, o.id.AsSlice()...)
	return message(typeOpen, appendCapabilities(b, caps)...)
}

// appendCapabilities appends the optional parameters of an OPEN. All together
// are less than 255 octets.
func appendCapabilities(b []byte, caps []capability) []byte {
	var values []byte
	for _, c := range caps {
		values = append(append(values, c.code, byte(len(c.value))), c.value...)
	}
	if len(values) == 0 {
		return append(b, 0)
	}
	return append(append(b, byte(len(values)+2), optionCapabilities, byte(len(values))), values...)
}

// An offer is what the OPEN to a router says other than the library does.
type offer struct {
	noHold, extendedNextHop bool
	// restart offers graceful restart; restarted tells that this end has.
	restart, restarted bool
}

// apply changes the body of the library's OPEN.
func (f offer) apply(b []byte) ([]byte, error) {
	if len(b) < minOpen-headerLength {
		return nil, errTruncated
	}
	all, err := capabilities(b[9:])
	if err != nil {
		return nil, err
	}
	var caps []capability
	for _, c := range all {
		switch {
		case c.code == capRestart && !f.restart, c.code == capExtendedNextHop && !f.extendedNextHop:
			continue
		case c.code == capRestart:
			c.value = f.restarts(c.value)
		}
		caps = append(caps, c)
	}
	head := append([]byte(nil), b[:9]...)
	if f.noHold {
		head[3], head[4] = 0, 0
	}
	return message(typeOpen, appendCapabilities(head, caps)...), nil
}

// restarts returns the graceful restart capability with its bits as they are:
// the forwarding state is always preserved, since kube-proxy forwards and not
// this process (RFC 4724 section 3).
func (f offer) restarts(v []byte) []byte {
	const restartState, forwarding = 0x80, 0x80
	v = append([]byte(nil), v...)
	if len(v) < 2 {
		return v
	}
	v[0] &^= restartState
	if f.restarted {
		v[0] |= restartState
	}
	for i := 2; i+4 <= len(v); i += 4 {
		v[i+3] |= forwarding
	}
	return v
}
