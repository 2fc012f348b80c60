package layer2

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/desired"
)

// linkOf returns eth0, or what it is called, among links.
func linkOf(links []desired.Link, name string) (desired.Link, bool) {
	i := slices.IndexFunc(links, func(l desired.Link) bool { return l.Name == name })
	if i < 0 {
		return desired.Link{}, false
	}
	return links[i], true
}

// with returns a change of an interface that there is.
func with(name string, change func(l netlink.Link) error) func() error {
	return func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return change(l)
	}
}

// enslave returns a change that makes an interface a port of a master.
func enslave(name, master string) func() error {
	return with(name, func(l netlink.Link) error {
		m, err := netlink.LinkByName(master)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(l, m)
	})
}

// Law: whatever happens to an interface gives a token, and Links says then what
// has happened. Nothing is asked for without one.
func TestWatchLinks(t *testing.T) {
	ns := netnstest.New(t)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan struct{}, 1), make(chan error, 1)
	go func() { done <- ns.DoWithNetRaw(func() error { return WatchLinks(ctx, changed) }) }()
	<-changed // at the start

	prefix := netip.MustParsePrefix("192.0.2.7/24")
	addr, err := netlink.ParseAddr(prefix.String())
	if err != nil {
		t.Fatal(err)
	}
	moved := mac{2, 0, 0, 0, 7, 7}
	up := func(l desired.Link, ok bool) bool { return ok && l.Up }
	down := func(l desired.Link, ok bool) bool { return ok && !l.Up }
	gone := func(_ desired.Link, ok bool) bool { return !ok }
	steps := []struct {
		name   string
		change func() error
		link   string
		want   func(l desired.Link, ok bool) bool
	}{
		{"appears", func() error {
			return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "p0"})
		}, "eth0", down},
		{"is set up, with no carrier", with("eth0", netlink.LinkSetUp), "eth0", down},
		{"gets a carrier", with("p0", netlink.LinkSetUp), "eth0", up},
		{"loses its carrier", with("p0", netlink.LinkSetDown), "eth0", down},
		{"has its carrier again", with("p0", netlink.LinkSetUp), "eth0", up},
		{"gets an address", with("eth0", func(l netlink.Link) error { return netlink.AddrAdd(l, addr) }), "eth0",
			func(l desired.Link, _ bool) bool { return slices.Contains(l.Prefixes, prefix) }},
		{"loses the address", with("eth0", func(l netlink.Link) error { return netlink.AddrDel(l, addr) }), "eth0",
			func(l desired.Link, _ bool) bool { return !slices.Contains(l.Prefixes, prefix) }},
		{"gets another hardware address", with("eth0", func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved.hw()) }), "eth0",
			func(l desired.Link, _ bool) bool { return l.MAC == moved }},
		{"is set down", with("eth0", netlink.LinkSetDown), "eth0", down},
		{"a bridge appears", func() error {
			return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}})
		}, "br0", down},
		{"joins the bridge", enslave("eth0", "br0"), "eth0", gone},
		{"leaves the bridge", with("eth0", netlink.LinkSetNoMaster), "eth0", down},
		{"a bond appears", func() error { return netlink.LinkAdd(netlink.NewLinkBond(netlink.LinkAttrs{Name: "bond0"})) }, "bond0",
			func(_ desired.Link, ok bool) bool { return ok }},
		{"joins the bond", enslave("eth0", "bond0"), "eth0", gone},
		{"leaves the bond", with("eth0", netlink.LinkSetNoMaster), "eth0", func(_ desired.Link, ok bool) bool { return ok }},
		{"gets another name", with("eth0", func(l netlink.Link) error {
			if err := netlink.LinkSetDown(l); err != nil {
				return err
			}
			return netlink.LinkSetName(l, "eth9")
		}), "eth9", down},
		{"vanishes", with("eth9", netlink.LinkDel), "eth9", gone},
	}
	bonds := true
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if !bonds && (s.name == "joins the bond" || s.name == "leaves the bond") {
				t.Skip("this kernel has no bonds")
			}
			err := ns.Do(s.change)
			if s.name == "a bond appears" && errors.Is(err, unix.EOPNOTSUPP) {
				bonds = false
				t.Skip("this kernel has no bonds")
			}
			if err != nil {
				t.Fatal(err)
			}
			untilLinks(t, ns, changed, func(links []desired.Link) bool { return s.want(linkOf(links, s.link)) })
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("WatchLinks = %v", err)
	}
	deadline := time.After(5 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// untilLinks waits until Links is as want says, and looks only when there is a
// token.
func untilLinks(t *testing.T, ns *netnstest.Namespace, changed <-chan struct{}, want func([]desired.Link) bool) {
	t.Helper()
	for deadline := time.After(5 * time.Second); ; {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no token, and Links is %v", linksIn(t, ns))
		}
		if want(linksIn(t, ns)) {
			return
		}
	}
}
