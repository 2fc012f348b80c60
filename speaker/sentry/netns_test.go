package sentry

import (
	"net/netip"
	"testing"

	"github.com/heraldlb/herald/internal/netnstest"
)

// A lan is a switch with nodes, each in a namespace of its own and at a port of
// its name.
type lan struct {
	*netnstest.Switch
	t       *testing.T
	nodes   map[string]*netnstest.Namespace
	members map[string]netip.Addr
}

// newLAN connects nodes with consecutive addresses.
func newLAN(t *testing.T, first netip.Prefix, names ...string) *lan {
	t.Helper()
	l := &lan{
		Switch: netnstest.NewSwitch(t), t: t,
		nodes: map[string]*netnstest.Namespace{}, members: map[string]netip.Addr{},
	}
	addr := first.Addr()
	for _, name := range names {
		l.nodes[name], l.members[name] = netnstest.New(t), addr
		l.Connect(l.nodes[name], "eth0", name, netip.PrefixFrom(addr, first.Bits()))
		addr = addr.Next()
	}
	return l
}
