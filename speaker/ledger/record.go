package ledger

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/speaker/desired"
)

// Bounds on what a Record says. A packet holds the largest.
const (
	maxLinks    = 32
	maxLinkName = 15 // IFNAMSIZ without its zero
	maxSilent   = 32
)

// A Record is what a node says of itself and its fellows. A later one replaces
// an earlier one altogether.
type Record struct {
	// Node is who says it.
	Node string
	// Version grows with every Record of the node, over restarts too.
	Version uint64
	// Links are the links of the node that have a routable address or are up,
	// sorted by name. Their Prefixes are the networks they are in: masked,
	// without those of a single address or of the link's own scope. Nil means
	// that nothing is known of the links, empty that there are none.
	Links []desired.Link
	// Silent names the other nodes that this one finds silent, sorted.
	Silent []string
}

// NewRecord returns the Record of a node with these links, of which it leaves
// out what the others need not know. What does not fit into a packet goes: first
// links without a routable address, then the networks of the others, then these,
// so that none are known, and at last silent nodes.
func NewRecord(node string, version uint64, links []desired.Link, silent []string) Record {
	public, least := publicLinks(links)
	r := Record{Node: node, Version: min(version, maxVersion), Links: public}
	for _, name := range silent {
		if name != node && validName(name) {
			r.Silent = append(r.Silent, name)
		}
	}
	slices.Sort(r.Silent)
	r.Silent = slices.Compact(r.Silent)
	r.Silent = r.Silent[:min(len(r.Silent), maxSilent)]
	for len(r.Links) > least && !r.fits() {
		r.Links = r.Links[:len(r.Links)-1]
	}
	slices.SortStableFunc(r.Links, func(a, b desired.Link) int { return strings.Compare(a.Name, b.Name) })
	if r.fits() {
		return r
	}
	for i := range r.Links {
		r.Links[i].Prefixes = nil
	}
	if !r.fits() {
		r.Links = nil
	}
	for !r.fits() {
		r.Silent = r.Silent[:len(r.Silent)-1]
	}
	return r
}

// Says reports whether two Records say the same, whatever their versions.
func (r Record) Says(s Record) bool {
	s.Version = r.Version
	return r.Node == s.Node && (r.Links == nil) == (s.Links == nil) && r.compare(s) == 0
}

// compare orders Records of one node: the one to keep is greater.
func (r Record) compare(s Record) int {
	if c := cmp.Compare(r.Version, s.Version); c != 0 {
		return c
	}
	// A version is used once, unless the clock of a node that restarts stands
	// still. Even then all must choose the same.
	return bytes.Compare(Message{From: r.Node, Records: []Record{r}}.Encode(),
		Message{From: s.Node, Records: []Record{s}}.Encode())
}

// fits reports whether a packet holds the Record, whoever sends it on.
func (r Record) fits() bool {
	b := newBuilder(strings.Repeat("x", min(maxName, len(r.Node)+32)))
	b.addRecord(r)
	return b.size() <= MaxPacket
}

// publicLinks returns what the other nodes need to know of a node's links, by
// name, those with a routable address first, and how many these are. A link
// without one counts in an election only while it is up.
func publicLinks(links []desired.Link) (public []desired.Link, least int) {
	if links == nil {
		return nil, 0
	}
	public = []desired.Link{}
	var bare []desired.Link
	for _, l := range links {
		has := routable(l)
		if !has && !l.Up || l.Name == "" || len(l.Name) > maxLinkName {
			continue
		}
		l.Prefixes = networks(l.Prefixes)
		if has {
			public = append(public, l)
		} else {
			bare = append(bare, l)
		}
	}
	for _, list := range [][]desired.Link{public, bare} {
		slices.SortStableFunc(list, func(a, b desired.Link) int { return strings.Compare(a.Name, b.Name) })
	}
	least = min(len(public), maxLinks)
	public = append(public, bare...)
	return public[:min(len(public), maxLinks)], least
}

// routable reports whether a link has an address of more than its own scope.
func routable(l desired.Link) bool {
	return slices.ContainsFunc(l.Prefixes, func(p netip.Prefix) bool {
		return p.IsValid() && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback()
	})
}

// networks returns the networks of addresses, without those of a single address
// and those that every link has. It returns nil for none.
func networks(prefixes []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes {
		if !p.IsValid() || p.IsSingleIP() || p.Addr().IsLinkLocalUnicast() || p.Addr().Is4In6() {
			continue
		}
		out = append(out, p.Masked())
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}
