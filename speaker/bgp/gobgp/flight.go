package gobgp

import (
	"context"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"sync"
)

// A flight is what the library was told to send and has not sent yet. The library
// makes one or more UPDATEs of all that waits to be sent, withdrawals first and
// announcements in any order (v4.7.0 is the first that keeps the last change of a
// prefix only), so a prefix must not change again while it is in flight: the
// router would be left with what came first.
type flight struct {
	mu sync.Mutex
	// ipv4 and ipv6 are the families that are sent at all; neither is while there
	// is no session.
	ipv4, ipv6 bool
	of         map[netip.Prefix]bool
	landed     chan struct{} // closed, and replaced, when some have
	// stuck is true when something was waited for in vain and nothing has landed
	// since: a router that takes nothing must not delay others again and again.
	stuck bool
}

func newFlight() *flight { return &flight{of: map[netip.Prefix]bool{}, landed: make(chan struct{})} }

// begin forgets everything, and counts these families from now on.
func (f *flight) begin(ipv4, ipv6 bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ipv4, f.ipv6, f.stuck = ipv4, ipv6, false
	f.empty()
}

// empty is for callers that hold mu.
func (f *flight) empty() {
	clear(f.of)
	close(f.landed)
	f.landed = make(chan struct{})
}

// board waits until none of the prefixes is in flight, and has them be. It waits no
// longer than ctx: then what is in flight is stuck behind a router that takes
// nothing, or was nothing new to the library, and it is forgotten.
func (f *flight) board(ctx context.Context, prefixes []netip.Prefix) {
	for {
		f.mu.Lock()
		if ctx.Err() != nil {
			f.stuck = true
		}
		flying := slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return f.of[p] })
		if flying && f.stuck {
			f.empty()
			flying = false
		}
		if !flying {
			f.add(prefixes)
		}
		landed := f.landed
		f.mu.Unlock()
		if !flying {
			return
		}
		select {
		case <-landed:
		case <-ctx.Done():
		}
	}
}

// add is for callers that hold mu.
func (f *flight) add(prefixes []netip.Prefix) {
	for _, p := range prefixes {
		if p.Addr().Is4() && f.ipv4 || p.Addr().Is6() && f.ipv6 {
			f.of[p] = true
		}
	}
}

// land takes note of the body of an UPDATE that the library has sent.
func (f *flight) land(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck = false
	if len(f.of) == 0 {
		return
	}
	for p := range prefixesOfUpdate(b) {
		delete(f.of, p)
	}
	close(f.landed)
	f.landed = make(chan struct{})
}

// Types of path attributes that have prefixes (RFC 4760).
const reachable, unreachable = 14, 15

// prefixesOfUpdate yields what an UPDATE of the library announces or withdraws.
func prefixesOfUpdate(b []byte) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		withdrawn, b, ok := block(b)
		attributes, announced, also := block(b)
		if !ok || !also || !list(withdrawn, false, yield) || !list(announced, false, yield) {
			return
		}
		for len(attributes) > 3 {
			kind, n, head := attributes[1], int(attributes[2]), 3
			if attributes[0]&0x10 != 0 { // extended length
				n, head = int(binary.BigEndian.Uint16(attributes[2:])), 4
			}
			if len(attributes) < head+n {
				return
			}
			v := attributes[head : head+n]
			attributes = attributes[head+n:]
			skip := 3 // family
			if kind == reachable && len(v) > skip {
				skip += 1 + int(v[skip]) + 1 // next hop, and a reserved octet
			}
			if (kind == reachable || kind == unreachable) && len(v) >= skip && !list(v[skip:], v[1] == afiIPv6, yield) {
				return
			}
		}
	}
}

// block splits off what follows its length in two octets.
func block(b []byte) (block, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// list yields prefixes, and reports whether to go on.
func list(b []byte, v6 bool, yield func(netip.Prefix) bool) bool {
	for len(b) > 0 {
		var a [16]byte
		bits := int(b[0])
		n := (bits + 7) / 8
		if len(b) < 1+n || n > len(a) {
			return false
		}
		copy(a[:], b[1:1+n])
		b = b[1+n:]
		addr := netip.AddrFrom16(a)
		if !v6 {
			addr = netip.AddrFrom4([4]byte(a[:4]))
		}
		if !yield(netip.PrefixFrom(addr, bits)) {
			return false
		}
	}
	return true
}
