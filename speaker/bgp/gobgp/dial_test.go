package gobgp

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// TestDialReplaced: a router on a link is reached at once after its interface was
// replaced by another one of that name.
func TestDialReplaced(t *testing.T) {
	l := newLink(t)
	n := l.neighbor()
	n.Address = l.linkLocal(2).WithZone(l.name)
	refused := func(when string) {
		t.Helper()
		c, err := dial(t.Context(), n, time.Second)
		if err == nil {
			_ = c.Close()
		}
		// Nothing listens there, so the answer is one of the router's.
		if !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%s: got error %v", when, err)
		}
	}
	refused("at first")
	node := netnstest.Own(t)
	node.Change(t, l.name, netlink.LinkDel)
	node.Veth(t, l.name, l.router, "e0")
	node.Address(t, l.name, l.prefixes(1)...)
	l.router.Address(t, "e0", l.prefixes(2)...)
	refused("after the interface was replaced")
}
