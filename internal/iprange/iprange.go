package iprange

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A Range is every address from a first to a last one, both included, of one
// family. The zero Range is empty and not valid. Ranges compare with ==.
type Range struct {
	// Invariant: both zero, or of one family, without zone, not IPv4-mapped,
	// and first is not after last.
	first, last netip.Addr
}

// The rules that a Range obeys, as they stand in errors.
var (
	errForm     = errors.New(`neither a prefix such as "192.0.2.0/24" nor a range such as "192.0.2.10-192.0.2.20"`)
	errSingle   = errors.New("a single address; write it as a prefix or as a range from it to itself")
	errAddress  = errors.New("not an address")
	errZone     = errors.New("an address with a zone cannot be in a range")
	errMapped   = errors.New("IPv4-mapped IPv6; write it as IPv4")
	errFamilies = errors.New("start and end are of different families")
	errOrder    = errors.New("end before start")
)

// New returns the Range from first to last.
func New(first, last netip.Addr) (Range, error) {
	r, err := from(first, last)
	if err != nil {
		return Range{}, fmt.Errorf("range %v-%v: %w", first, last, err)
	}
	return r, nil
}

// FromPrefix returns the addresses of p; host bits are ignored. The answer is
// not valid when p is not, or is IPv4-mapped.
func FromPrefix(p netip.Prefix) Range {
	p = p.Masked()
	if !p.IsValid() || p.Addr().Is4In6() {
		return Range{}
	}
	return Range{first: p.Addr(), last: lastOf(p)}
}

// Parse reads a prefix ("192.0.2.0/24"), whose host bits must not be set, or
// a first and a last address with a dash between ("192.0.2.1-192.0.2.9",
// spaces around the dash and the whole are ignored). An error names s and the
// rule that it breaks.
func Parse(s string) (Range, error) {
	r, err := parse(strings.TrimSpace(s))
	if err != nil {
		return Range{}, fmt.Errorf("range %q: %w", s, err)
	}
	return r, nil
}

func parse(s string) (Range, error) {
	if a, b, ok := strings.Cut(s, "-"); ok {
		first, err := parseAddr(strings.TrimSpace(a))
		if err != nil {
			return Range{}, fmt.Errorf("start: %w", err)
		}
		last, err := parseAddr(strings.TrimSpace(b))
		if err != nil {
			return Range{}, fmt.Errorf("end: %w", err)
		}
		return from(first, last)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return Range{}, cmp.Or(check(a), errSingle)
	}
	addr, length, ok := strings.Cut(s, "/")
	if !ok {
		return Range{}, errForm
	}
	if _, err := parseAddr(addr); err != nil {
		return Range{}, err
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Range{}, fmt.Errorf("not a prefix length: %q", length)
	}
	if p != p.Masked() {
		return Range{}, fmt.Errorf("host bits are set; the prefix is %v", p.Masked())
	}
	return FromPrefix(p), nil
}

// parseAddr reads an address that may be in a Range.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: %q", errAddress, s)
	}
	return a, check(a)
}

// check says why an address cannot be in a Range, or nil.
func check(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return errAddress
	case a.Zone() != "":
		return errZone
	case a.Is4In6():
		return errMapped
	default:
		return nil
	}
}

// from builds a Range, or says which rule it would break.
func from(first, last netip.Addr) (Range, error) {
	for _, a := range []netip.Addr{first, last} {
		if err := check(a); err != nil {
			return Range{}, err
		}
	}
	switch {
	case first.BitLen() != last.BitLen():
		return Range{}, errFamilies
	case last.Less(first):
		return Range{}, errOrder
	default:
		return Range{first: first, last: last}, nil
	}
}

// First is the lowest address of r.
func (r Range) First() netip.Addr { return r.first }

// Last is the highest address of r.
func (r Range) Last() netip.Addr { return r.last }

// IsValid reports whether r has any address at all.
func (r Range) IsValid() bool { return r.first.IsValid() }

// Is4 reports whether r is of IPv4.
func (r Range) Is4() bool { return r.first.Is4() }

// Contains reports whether a is in r.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.first.BitLen() && r.IsValid() && a.Zone() == "" &&
		!a.Less(r.first) && !r.last.Less(a)
}

// Overlaps reports whether r and s have an address in common.
func (r Range) Overlaps(s Range) bool {
	return r.IsValid() && s.IsValid() && r.Is4() == s.Is4() &&
		!s.last.Less(r.first) && !r.last.Less(s.first)
}

// Compare orders ranges: IPv4 first, then by first, then by last address. A
// Range that is not valid comes before all others.
func (r Range) Compare(s Range) int {
	if c := r.first.Compare(s.first); c != 0 {
		return c
	}
	return r.last.Compare(s.last)
}

// Equal reports whether r and s are the same; it is what go-cmp calls.
func (r Range) Equal(s Range) bool { return r == s }

// Size is how many addresses r has.
func (r Range) Size() Count {
	if !r.IsValid() {
		return Count{}
	}
	return r.Offset(r.last).Add(CountOf(1))
}

// Offset is how many addresses of r come before a, which must be in r.
func (r Range) Offset(a netip.Addr) Count { return number(a).Sub(number(r.first)) }

// At is the address of r that n others come before; n must be less than Size.
func (r Range) At(n Count) netip.Addr { return address(number(r.first).Add(n), r.Is4()) }

// String is a prefix where one says it exactly, or else "first-last".
func (r Range) String() string {
	if !r.IsValid() {
		return "invalid range"
	}
	for length := range r.first.BitLen() + 1 {
		p := netip.PrefixFrom(r.first, length)
		if p == p.Masked() && lastOf(p) == r.last {
			return p.String()
		}
	}
	return r.first.String() + "-" + r.last.String()
}

// number is a's value; address is its inverse.
func number(a netip.Addr) Count {
	if a.Is4() {
		b := a.As4()
		return CountOf(uint64(binary.BigEndian.Uint32(b[:])))
	}
	b := a.As16()
	return Count{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func address(n Count, is4 bool) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	if is4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}

// lastOf is the highest address of a masked prefix.
func lastOf(p netip.Prefix) netip.Addr {
	host := p.Addr().BitLen() - p.Bits()
	n := number(p.Addr())
	if host > 64 {
		n.hi |= 1<<(host-64) - 1
		n.lo = ^uint64(0)
	} else {
		n.lo |= 1<<host - 1
	}
	return address(n, p.Addr().Is4())
}
