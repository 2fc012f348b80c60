package ledger

import (
	"net/netip"
)

// misfits is how many things that do not fit into what is left of a message are
// passed over in search of smaller ones.
const misfits = 8

// A Queue says what is worth telling the others next: what is new first, and
// the rest again in turn, each as often as was asked for. It holds names of
// things and not the things, so what is told is always the latest there is, and
// something that changes while it waits is told in its newer form alone.
//
// The zero Queue is empty.
type Queue struct {
	fresh, repeat []topic
	left          map[topic]int // how often each is still to be told
	again         map[topic]bool
}

// A topic is an address, of which the claim is told, or a node, of which the
// record is.
type topic struct {
	addr netip.Addr
	node string
}

// Add has news told so many times.
func (q *Queue) Add(n News, times int) {
	for _, c := range n.Claims {
		q.add(topic{addr: c.Address}, times)
	}
	for _, r := range n.Records {
		q.add(topic{node: r.Node}, times)
	}
}

// Len returns how many things are waiting.
func (q *Queue) Len() int { return len(q.left) }

// add puts a topic at the end of what is new.
func (q *Queue) add(t topic, times int) {
	if q.left == nil {
		q.left, q.again = map[topic]int{}, map[topic]bool{}
	}
	if _, ok := q.left[t]; !ok || q.again[t] {
		q.fresh = append(q.fresh, t)
	}
	q.left[t] = times
	delete(q.again, t) // what waits among the repeated ones is passed over
}

// Next returns a message of at most limit bytes with what is to be told next,
// and nil if there is nothing to tell or nothing fits.
func (q *Queue) Next(l *Ledger, from string, limit int) []byte {
	b := newBuilder(from)
	missed := 0
	var told []topic
	fill := func(list []topic, again bool) []topic {
		kept := 0 // at the beginning of list
		for i, t := range list {
			if missed >= misfits {
				copy(list[i-kept:], list[:kept])
				return list[i-kept:]
			}
			switch {
			case q.left[t] == 0 || q.again[t] != again: // it has moved since
			case !l.has(t):
				delete(q.left, t)
				delete(q.again, t)
			case b.try(limit, func() { l.addTo(b, t) }):
				told = append(told, t)
			default:
				list[kept] = t
				kept++
				missed++
			}
		}
		return list[:kept]
	}
	q.fresh = fill(q.fresh, false)
	q.repeat = fill(q.repeat, true)
	q.count(told)
	if len(told) == 0 {
		return nil
	}
	return b.bytes()
}

// count takes note of what has been told.
func (q *Queue) count(told []topic) {
	for _, t := range told {
		if q.left[t]--; q.left[t] > 0 {
			q.again[t] = true
			q.repeat = append(q.repeat, t)
			continue
		}
		delete(q.left, t)
		delete(q.again, t)
	}
}
