package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/heraldlb/herald/speaker/desired"
)

// Decode returns the message that bytes are, of which it keeps none. A message
// of another version is a *VersionError.
func Decode(b []byte) (Message, error) {
	if len(b) == 0 {
		return Message{}, errSender
	}
	d := decoder{rest: b[1:]}
	from := d.name()
	if d.err != nil {
		return Message{}, errSender
	}
	if b[0] != version {
		return Message{}, &VersionError{From: from, Version: b[0]}
	}
	m := Message{From: from}
	m.Complete = d.flags(flagComplete) == flagComplete
	d.names = append(d.names, from)
	for range d.count(2) {
		d.names = append(d.names, d.name())
	}
	if n := d.count(7); n > 0 {
		m.Claims = make([]desired.Claim, 0, n)
		for range n {
			m.Claims = append(m.Claims, d.claim())
		}
	}
	for range d.count(5) {
		m.Records = append(m.Records, d.record())
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = errors.New("bytes after the end")
	}
	if d.err != nil {
		return Message{}, fmt.Errorf("gossip of %q: %w", from, d.err)
	}
	return m, nil
}

// A decoder takes values off the front of bytes. After the first error there is
// nothing left to take, and all further values are zero.
type decoder struct {
	rest  []byte
	names []string
	err   error
}

// fail notes the first error.
func (d *decoder) fail(text string) {
	if d.err == nil {
		d.err = errors.New(text)
	}
	d.rest = nil
}

// take returns n bytes, zeros if there are fewer. n is at most a few hundred.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.fail("too short")
		return make([]byte, n)
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}

// number takes a number of at most limit.
func (d *decoder) number(limit uint64) uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > limit {
		d.fail("number out of range")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count takes the count of values of at least so many bytes each.
func (d *decoder) count(each int) int { return int(d.number(uint64(len(d.rest) / each))) }

// flags takes a byte in which no other flags than those known are set.
func (d *decoder) flags(known byte) byte {
	f := d.take(1)[0]
	if f&^known != 0 {
		d.fail("unknown flags")
	}
	return f
}

// name takes the name of a node.
func (d *decoder) name() string {
	s := string(d.take(int(d.number(maxName))))
	if d.err == nil && !validName(s) {
		d.fail("not a name")
	}
	return s
}

// named takes the number of a name and returns the name.
func (d *decoder) named() string { return d.names[d.number(uint64(len(d.names)-1))] }

// address takes an address.
func (d *decoder) address(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte(d.take(16)))
	}
	return netip.AddrFrom4([4]byte(d.take(4)))
}

// claim takes a claim.
func (d *decoder) claim() desired.Claim {
	f := d.flags(flagIPv6 | flagWeak)
	c := desired.Claim{
		Address: d.address(f&flagIPv6 != 0),
		Node:    d.named(),
		Epoch:   d.number(maxEpoch),
		Weak:    f&flagWeak != 0,
	}
	if d.err == nil && !validClaim(c) {
		d.fail("claim of nothing")
	}
	return c
}

// record takes a record.
func (d *decoder) record() Record {
	r := Record{Node: d.named(), Version: d.number(maxVersion)}
	known := d.flags(flagKnown) == flagKnown
	n := d.count(9)
	switch {
	case n > maxLinks, n > 0 && !known:
		d.fail("links out of range")
		return r
	case known:
		r.Links = make([]desired.Link, 0, n)
	}
	for range n {
		r.Links = append(r.Links, d.link())
	}
	n = d.count(1)
	if n > maxSilent {
		d.fail("silent nodes out of range")
		return r
	}
	for range n {
		r.Silent = append(r.Silent, d.named())
	}
	return r
}

// link takes a link.
func (d *decoder) link() desired.Link {
	l := desired.Link{Name: string(d.take(int(d.number(maxLinkName))))}
	if l.Name == "" {
		d.fail("link without a name")
	}
	l.Up = d.flags(flagUp) == flagUp
	l.MAC = [6]byte(d.take(6))
	for range d.count(1) {
		l.Prefixes = append(l.Prefixes, d.network())
	}
	return l
}

// network takes a network.
func (d *decoder) network() netip.Prefix {
	length := d.take(1)[0]
	bits := int(length &^ lengthIPv6)
	var a [16]byte
	if bits > 32 && length&lengthIPv6 == 0 {
		d.fail("network out of range")
		return netip.Prefix{}
	}
	copy(a[:], d.take((bits+7)/8))
	addr := netip.AddrFrom16(a)
	if length&lengthIPv6 == 0 {
		addr = netip.AddrFrom4([4]byte(a[:4]))
	}
	p := netip.PrefixFrom(addr, bits)
	if p != p.Masked() {
		d.fail("network with bits of a host")
	}
	return p
}
