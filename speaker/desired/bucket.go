package desired

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// buckets is into how many parts Services are cut by their keys, so that one
// that changes has only its own part told anew.
const buckets = 256

// A bucket is the services whose keys hash alike.
type bucket struct {
	services []entry // sorted by compare
	// stale is true when Computer.state does not have what the bucket declines.
	stale bool
}

// An entry is a service in a bucket.
type entry struct {
	hash    uint64 // of the key
	service *service
}

// compare orders entries by the hashes of their keys, which are at hand, and
// equal ones by their keys.
func (e entry) compare(o entry) int {
	if e.hash != o.hash {
		return cmp.Compare(e.hash, o.hash)
	}
	return strings.Compare(e.service.svc.Key, o.service.svc.Key)
}

// add puts a service in that is not in the bucket.
func (b *bucket) add(s *service) {
	e := entry{s.hash, s}
	at, _ := slices.BinarySearchFunc(b.services, e, entry.compare)
	b.services = slices.Insert(b.services, at, e)
}

// remove takes a service out.
func (b *bucket) remove(s *service) {
	b.services = slices.DeleteFunc(b.services, func(e entry) bool { return e.service == s })
}

// declined tells what this node does not announce of a bucket, and why not.
func (b *bucket) declined() (out []Declined) {
	for _, e := range b.services {
		svc := e.service
		for i := range svc.holdings {
			h := &svc.holdings[i]
			d := Declined{Service: svc.svc.Key, Address: h.address.addr, Protocol: ProtocolLayer2, Reason: h.reason}
			if h.reason == NotElected {
				d.Holder = h.address.holder
			}
			if h.reason != 0 {
				out = append(out, d)
			}
			if h.unsaid != 0 {
				out = append(out, Declined{Service: d.Service, Address: d.Address, Protocol: ProtocolBGP, Reason: h.unsaid})
			}
		}
	}
	return out
}

// Declines are a list of what a node declines, in parts, most of which it
// shares with the lists before it: lists of the same things are equal values.
// They are never written after they are built. Nil is empty.
type Declines [][]Declined

// All yields all that is declined. What there is about one Service comes in a
// row, by address and protocol; Services come in no particular order.
func (d Declines) All() iter.Seq[*Declined] {
	return func(yield func(*Declined) bool) {
		for _, part := range d {
			for i := range part {
				if !yield(&part[i]) {
					return
				}
			}
		}
	}
}

// Len returns how many things are declined.
func (d Declines) Len() (n int) {
	for _, part := range d {
		n += len(part)
	}
	return n
}
