package desired

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Destinations are the prefixes that this node announces by BGP, with what is
// remembered of each. A Service changes those alone that it has addresses in.
type destinations struct {
	byPrefix map[netip.Prefix]*destination
	// order holds those with a route, sorted by prefix.
	order []*destination
	// stale are those to be looked at again.
	stale []*destination
	// routes and refused are how many there are of all.
	routes, refused int
}

// A destination is a prefix with what is asked for it.
type destination struct {
	prefix netip.Prefix
	// bids are of different offers, in the order of their places.
	bids []*bid
	// routes and refused are what follows from the bids.
	routes  []Route
	refused []Refusal
	// listed is true when the destination is in destinations.order, and stale
	// when it is in destinations.stale.
	listed, stale bool
}

// A bid is an offer to announce a prefix, for the sake of some Services.
type bid struct {
	*offer
	// holders have addresses in the prefix for which the offer is made, and
	// services are their keys. Both are sorted; services is never written.
	holders  []holder
	services []string
	// pending are the changes of holders since they were last settled.
	pending []holder
}

// A holder is a Service with so many addresses in a prefix, or so many more.
type holder struct {
	service   string
	addresses int
}

// add takes note that a Service has so many more addresses in a prefix for
// which an offer is made.
func (d *destinations) add(p netip.Prefix, o *offer, h holder) {
	to, ok := d.byPrefix[p]
	if !ok {
		to = &destination{prefix: p}
		d.byPrefix[p] = to
	}
	at, found := slices.BinarySearchFunc(to.bids, o, func(b *bid, o *offer) int { return cmp.Compare(b.place, o.place) })
	if !found {
		to.bids = slices.Insert(to.bids, at, &bid{offer: o})
	}
	to.bids[at].pending = append(to.bids[at].pending, h)
	if !to.stale {
		to.stale = true
		d.stale = append(d.stale, to)
	}
}

// settle brings what is stale up to date.
func (d *destinations) settle() {
	var added []*destination
	lost := false
	for _, to := range d.stale {
		d.routes -= len(to.routes)
		d.refused -= len(to.refused)
		to.settle()
		d.routes += len(to.routes)
		d.refused += len(to.refused)
		to.stale = false
		switch lists := len(to.routes) > 0; {
		case lists && !to.listed:
			added = append(added, to)
		case !lists:
			lost = lost || to.listed
			delete(d.byPrefix, to.prefix)
		}
		to.listed = len(to.routes) > 0
	}
	d.stale = nil
	if lost || added != nil {
		d.order = merge(d.order, added, func(to *destination) bool { return to.listed }, byPrefix)
	}
}

// bgp returns what all destinations say to some sessions.
func (d *destinations) bgp(f *forum) BGP {
	b := BGP{Sessions: f.sessions}
	b.Routes = slices.Grow(b.Routes, d.routes)
	b.Refused = slices.Grow(b.Refused, d.refused)
	for _, to := range d.order {
		b.Routes = append(b.Routes, to.routes...)
		b.Refused = append(b.Refused, to.refused...)
	}
	return b
}

// byPrefix orders destinations.
func byPrefix(a, b *destination) int { return a.prefix.Compare(b.prefix) }

// settle brings the bids up to date, and what follows from them.
func (to *destination) settle() {
	changed := false
	for _, b := range to.bids {
		changed = b.settle() || changed
	}
	to.bids = slices.DeleteFunc(to.bids, func(b *bid) bool { return len(b.holders) == 0 })
	if !changed {
		return
	}
	to.routes, to.refused = nil, nil
	if len(to.bids) == 1 { // as a rule
		b := to.bids[0]
		to.routes = []Route{{
			Prefix: to.prefix, Peers: b.peers, Attributes: b.attributes, Services: b.services, Advertisements: b.names,
		}}
		return
	}
	to.decide()
}

// decide finds out, for a prefix that several offers are made for, what each
// peer is told of it. The Services of an offer that is refused are served all
// the same.
func (to *destination) decide() {
	var parts []*part
	for _, peer := range to.peers() {
		var in *part
		var inForce string
		for _, b := range to.bids {
			if _, speaks := slices.BinarySearch(b.peers, peer); !speaks {
				continue
			}
			if in == nil {
				in, parts = partOf(parts, b)
				in.peers, inForce = append(in.peers, peer), b.ad.Name
			}
			in.take(b)
			if b.kind != in.kind {
				to.refused = append(to.refused, Refusal{to.prefix, peer, b.ad.Name, inForce})
			}
		}
	}
	for _, p := range parts {
		to.routes = append(to.routes, p.route(to.prefix))
	}
	slices.SortFunc(to.routes, func(a, b Route) int { return strings.Compare(a.Peers[0], b.Peers[0]) })
}

// A part is a Route in the making: the peers that get a prefix by offers of one
// kind, and the bids that are for one of them.
type part struct {
	kind  int
	peers []string
	bids  []*bid
}

// partOf returns the part for the kind of a bid, and all parts with it.
func partOf(parts []*part, b *bid) (*part, []*part) {
	for _, p := range parts {
		if p.kind == b.kind {
			return p, parts
		}
	}
	p := &part{kind: b.kind}
	return p, append(parts, p)
}

// take adds a bid, once.
func (p *part) take(b *bid) {
	if !slices.Contains(p.bids, b) {
		p.bids = append(p.bids, b)
	}
}

// route returns the Route.
func (p *part) route(prefix netip.Prefix) Route {
	r := Route{Prefix: prefix, Peers: p.peers}
	for _, b := range p.bids {
		r.Services = union(r.Services, b.services)
		if b.kind == p.kind {
			r.Attributes, r.Advertisements = b.attributes, append(r.Advertisements, b.ad.Name)
		}
	}
	slices.Sort(r.Advertisements)
	return r
}

// union returns what is in either of two sorted lists, sorted. It writes to
// neither.
func union(a, b []string) []string {
	if len(a) == 0 || slices.Equal(a, b) {
		return b
	}
	return slices.Compact(merge(a, slices.Clone(b), func(string) bool { return true }, strings.Compare))
}

// peers returns the names of all peers that an offer is for, sorted.
func (to *destination) peers() []string {
	var all []string
	for _, b := range to.bids {
		all = append(all, b.peers...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// settle brings the holders up to date, and reports whether others hold now.
func (b *bid) settle() (changed bool) {
	if len(b.pending) == 0 {
		return false
	}
	slices.SortFunc(b.pending, func(x, y holder) int { return strings.Compare(x.service, y.service) })
	var added []holder
	var gone map[string]bool
	for news := b.pending; len(news) > 0; {
		h := news[0]
		for news = news[1:]; len(news) > 0 && news[0].service == h.service; news = news[1:] {
			h.addresses += news[0].addresses
		}
		at, known := slices.BinarySearchFunc(b.holders, h.service, func(o holder, s string) int { return strings.Compare(o.service, s) })
		switch {
		case h.addresses == 0:
		case !known:
			added = append(added, h)
		case b.holders[at].addresses+h.addresses > 0:
			b.holders[at].addresses += h.addresses
		default:
			if gone == nil {
				gone = map[string]bool{}
			}
			gone[h.service] = true
		}
	}
	b.pending = nil
	if added == nil && gone == nil {
		return false
	}
	keep := func(h holder) bool { return !gone[h.service] }
	b.holders = merge(b.holders, added, keep, func(x, y holder) int { return strings.Compare(x.service, y.service) })
	b.services = make([]string, 0, len(b.holders))
	for _, h := range b.holders {
		b.services = append(b.services, h.service)
	}
	return true
}
