package config

import (
	"errors"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/heraldlb/herald/internal/iprange"
)

// A span is a range that a pool gives out, and where it is declared.
type span struct {
	iprange.Range
	pool string // the IPAddressPool's name
	// field and text are those of the element of spec.addresses.
	field, text string
}

// given returns what of the range the pool gives out. The first address of an
// IPv6 prefix is left out: it belongs to all routers of the subnet (RFC 4291
// 2.6.1), unless there is room for no more than two ends of a link (RFC 6164).
// Who writes a range instead of a prefix means every address of it.
func (s span) given() iprange.Range {
	p, err := netip.ParsePrefix(strings.TrimSpace(s.text))
	if err != nil || p.Addr().Is4() || p.Bits() >= 127 {
		return s.Range
	}
	rest, err := iprange.New(s.First().Next(), s.Last())
	if err != nil {
		panic("config: prefix " + s.text + ": " + err.Error())
	}
	return rest
}

// spans are sorted and disjoint.
type spans []span

// overlap returns the first span that has an address in common with r.
func (s spans) overlap(r iprange.Range) (span, bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].Last().Compare(r.First()) >= 0 })
	if i == len(s) || !s[i].Overlaps(r) {
		return span{}, false
	}
	return s[i], true
}

// with returns the spans of both; they must be disjoint.
func (s spans) with(more spans) spans {
	for _, m := range more {
		i, _ := slices.BinarySearchFunc(s, m, func(a, b span) int { return a.First().Compare(b.First()) })
		s = slices.Insert(s, i, m)
	}
	return s
}

// ranges returns the ranges alone.
func (s spans) ranges() []iprange.Range {
	var list []iprange.Range
	for i := range s {
		list = append(list, s[i].Range)
	}
	return list
}

// unusable are the addresses that no Service can be reached at.
var unusable = []struct {
	iprange.Range
	what string
}{
	{prefix("0.0.0.0/8"), "addresses of 0.0.0.0/8"},
	{prefix("127.0.0.0/8"), "loopback addresses (127.0.0.0/8)"},
	{prefix("224.0.0.0/4"), "multicast addresses (224.0.0.0/4)"},
	{prefix("255.255.255.255/32"), "the broadcast address 255.255.255.255"},
	{prefix("::/127"), "the unspecified or the loopback address (::, ::1)"},
	{prefix("::ffff:0:0/96"), "IPv4-mapped addresses (::ffff:0:0/96)"},
	{prefix("fe80::/10"), "link-local addresses (fe80::/10)"},
	{prefix("ff00::/8"), "multicast addresses (ff00::/8)"},
}

// prefix returns the range of a prefix that is written in the code.
func prefix(s string) iprange.Range { return iprange.FromPrefix(netip.MustParsePrefix(s)) }

// unusableIn names addresses in r that no Service can be reached at; it is
// empty when there are none.
func unusableIn(r iprange.Range) string {
	for _, u := range unusable {
		if u.Overlaps(r) {
			return u.what
		}
	}
	return ""
}

// parseExcluded parses a range, or a single address.
func parseExcluded(text string) (iprange.Range, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return iprange.New(a, a)
	}
	return iprange.Parse(text)
}

// hasSound reports whether a range has an address that AvoidBuggyIPs leaves.
func hasSound(r iprange.Range) bool {
	if !r.Is4() {
		return true
	}
	// Of three addresses in a row at most two end in .255 and .0.
	for a := r.First(); a.IsValid() && r.Contains(a); a = a.Next() {
		if end := a.As4()[3]; end != 0 && end != 255 {
			return true
		}
	}
	return false
}

// ruleOf returns the rule that an error of package iprange states, without the
// value, which the message has already.
func ruleOf(err error) string {
	if rule := errors.Unwrap(err); rule != nil {
		err = rule
	}
	return err.Error()
}
