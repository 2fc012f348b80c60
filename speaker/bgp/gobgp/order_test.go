package gobgp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bgp"
)

// A rib is what a router has learned from UPDATEs of IPv4: prefixes, and how long
// the attributes of each are.
type rib struct {
	mu  sync.Mutex
	has map[netip.Prefix]int
}

// update takes in the body of an UPDATE.
func (r *rib) update(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(binary.BigEndian.Uint16(b))
	list(b[2:2+n], false, func(p netip.Prefix) bool { delete(r.has, p); return true })
	b = b[2+n:]
	n = int(binary.BigEndian.Uint16(b))
	list(b[2+n:], false, func(p netip.Prefix) bool { r.has[p] = n; return true })
}

// get returns how long the attributes of a prefix are, zero without it.
func (r *rib) get(p netip.Prefix) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.has[p]
}

// listen has a router learn until the connection ends.
func (r *rib) listen(c net.Conn) {
	rd, ok := greet(c, theirs())
	for ok {
		kind, length, err := rd.next()
		if err != nil {
			return
		}
		b, err := rd.body(length)
		if err != nil {
			return
		}
		switch kind {
		case typeUpdate:
			r.update(b)
		case typeKeepalive:
			_, _ = c.Write(message(typeKeepalive))
		}
	}
}

// TestOrder: the router is left with what was said last of a prefix, however soon
// that was after what was said before, and whatever else was said with it.
func TestOrder(t *testing.T) {
	for _, many := range []int{0, 2000} {
		t.Run(fmt.Sprintf("among %d", many), func(t *testing.T) {
			l := newLink(t)
			r := &rib{has: map[netip.Prefix]int{}}
			newFake(t, l, "", r.listen)
			s, e := openSession(t, l.neighbor())
			wait(t, "up", func() bool { return e.last().State == bgp.EstablishedState })
			for round := range 10 {
				var others []bgp.Path
				for i := range many {
					others = append(others, path(fmt.Sprintf("10.%d.%d.%d/32", round, i/250, i%250), l.v4(1)))
				}
				gone, plain := path(fmt.Sprintf("203.0.%d.1/32", round), l.v4(1)), path(fmt.Sprintf("203.0.%d.2/32", round), l.v4(1))
				colored, last := plain, path(fmt.Sprintf("203.0.%d.3/32", round), l.v4(1))
				colored.Attributes.Communities = []config.Community{{Global: 1, Local1: 2}}
				must(t, s.Announce(append(others, gone, colored)))
				must(t, s.Announce([]bgp.Path{plain}))
				must(t, s.Withdraw([]netip.Prefix{gone.Prefix}))
				must(t, s.Announce([]bgp.Path{last}))
				waitFor(t, 10*time.Second, "the last of all", func() bool { return r.get(last.Prefix) != 0 })
				<-time.After(200 * time.Millisecond) // for what must not come after it
				if n := r.get(gone.Prefix); n != 0 {
					t.Errorf("round %d: %v was withdrawn, and is there", round, gone.Prefix)
				}
				if got, want := r.get(plain.Prefix), r.get(last.Prefix); got != want {
					t.Errorf("round %d: attributes of %v have length %d, want %d", round, plain.Prefix, got, want)
				}
			}
		})
	}
}
