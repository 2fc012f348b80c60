package gobgp

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/heraldlb/herald/internal/netnstest"
)

// TestMain runs the tests in the namespace of a node.
func TestMain(m *testing.M) {
	if task := os.Getenv(isSpeaker); task != "" {
		speak(task)
	}
	netnstest.Main(m)
}

// A link is a cable between this node and a router, with the same addresses on
// both ends but for the last part: 1 here, 2 there.
type link struct {
	t      testing.TB
	name   string // of the interface here; it is e0 there
	router *netnstest.Namespace
	index  int
}

// links counts the cables, so that no two have the same addresses.
var links int

// newLink plugs in a router.
func newLink(t testing.TB) *link {
	t.Helper()
	links++
	l := &link{t: t, name: fmt.Sprintf("r%d", links), router: netnstest.New(t), index: links}
	node := netnstest.Own(t)
	node.Veth(t, l.name, l.router, "e0")
	node.Address(t, l.name, l.prefixes(1)...)
	l.router.Address(t, "e0", l.prefixes(2)...)
	return l
}

func (l *link) v4(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, byte(l.index), byte(last)})
}

func (l *link) v6(last int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", l.index, last))
}

func (l *link) linkLocal(last int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fe80::%x:%x", l.index, last))
}

// prefixes are the addresses of an end.
func (l *link) prefixes(last int) []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(l.v4(last), 24), netip.PrefixFrom(l.v6(last), 64), netip.PrefixFrom(l.linkLocal(last), 64),
	}
}

// cut has the router's end go up or down.
func (l *link) cut(apart bool) {
	l.t.Helper()
	set := netlink.LinkSetUp
	if apart {
		set = netlink.LinkSetDown
	}
	l.router.Change(l.t, "e0", set)
}
