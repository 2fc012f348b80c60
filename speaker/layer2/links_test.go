package layer2

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/desired"
)

func TestLinks(t *testing.T) {
	ns := netnstest.New(t)
	up := func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	}
	add := netlink.LinkAdd
	macs := map[string]mac{"eth0": {2, 0, 0, 0, 0, 1}, "eth1": {2, 0, 0, 0, 0, 2}, "br0": {2, 0, 0, 0, 0, 3}, "p0": {2, 0, 0, 0, 0, 4}}
	attrs := func(name string) netlink.LinkAttrs {
		return netlink.LinkAttrs{Name: name, HardwareAddr: macs[name].hw()}
	}
	steps := []func() error{
		func() error {
			return add(&netlink.Veth{LinkAttrs: attrs("eth0"), PeerName: "p0", PeerHardwareAddr: macs["p0"].hw()})
		},
		func() error { return add(&netlink.Veth{LinkAttrs: attrs("eth1"), PeerName: "p1"}) },
		func() error { return add(&netlink.Bridge{LinkAttrs: attrs("br0")}) },
		func() error { return up("eth0") },
		func() error { return up("p0") },
		func() error {
			br, err := netlink.LinkByName("br0")
			if err != nil {
				return err
			}
			port, err := netlink.LinkByName("p1")
			if err != nil {
				return err
			}
			return netlink.LinkSetMaster(port, br)
		},
		func() error {
			l, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			_, ipn, _ := net.ParseCIDR("192.0.2.0/24")
			ipn.IP = net.IPv4(192, 0, 2, 7)
			return netlink.AddrAdd(l, &netlink.Addr{IPNet: ipn})
		},
	}
	for i, step := range steps {
		if err := ns.Do(step); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	want := []desired.Link{
		{Name: "br0", MAC: macs["br0"]},
		{Name: "eth0", Up: true, MAC: macs["eth0"], Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}},
		{Name: "eth1", MAC: macs["eth1"]},
		{Name: "p0", Up: true, MAC: macs["p0"]},
	}
	equal := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	for deadline := time.After(5 * time.Second); ; {
		diff := cmp.Diff(want, linksIn(t, ns), equal)
		if diff == "" {
			return
		}
		select { // the kernel says that a link is up a moment after it is
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("Links (-want +got):\n%s", diff)
		}
	}
}

// linksIn returns Links in a namespace, less the link-local addresses, which
// are the kernel's affair.
func linksIn(t *testing.T, ns *netnstest.Namespace) []desired.Link {
	t.Helper()
	var got []desired.Link
	err := ns.DoWithNetRaw(func() (err error) {
		got, err = Links()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Prefixes = slices.DeleteFunc(got[i].Prefixes, func(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() })
		if len(got[i].Prefixes) == 0 {
			got[i].Prefixes = nil
		}
	}
	return got
}

func TestLasting(t *testing.T) {
	tests := []struct {
		name, prefix string
		flags        int
		want         bool
	}{
		{"IPv6", "2001:db8::1/64", unix.IFA_F_PERMANENT, true},
		{"tentative", "2001:db8::1/64", unix.IFA_F_TENTATIVE, false},
		{"duplicate", "2001:db8::1/64", unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED, false},
		{"deprecated", "2001:db8::1/64", unix.IFA_F_DEPRECATED, false},
		{"temporary", "2001:db8::1/64", unix.IFA_F_TEMPORARY, false},
		{"secondary", "192.0.2.1/24", unix.IFA_F_SECONDARY, true},
		{"deprecated IPv4", "192.0.2.1/24", unix.IFA_F_DEPRECATED, true},
	}
	for _, tt := range tests {
		ipnet, err := netlink.ParseIPNet(tt.prefix)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := lasting(netlink.Addr{IPNet: ipnet, Flags: tt.flags})
		if ok != tt.want || ok && p.String() != tt.prefix {
			t.Errorf("%s: got %v, %v, want %v", tt.name, p, ok, tt.want)
		}
	}
}

// Law: what leads to other hosts is announced on, with or without an address,
// and the ends of pods' cables are not, unless they lead to other hosts too.
func TestAnnounceable(t *testing.T) {
	host, pod := netnstest.New(t), netnstest.New(t)
	host.Veth(t, "eth0", pod, "eth0")
	host.Address(t, "eth0", netip.MustParsePrefix("192.0.2.7/24"))
	host.Veth(t, "cali1", pod, "eth1")
	host.Address(t, "cali1", netip.MustParsePrefix("fe80::ecee:1/64"))
	host.Veth(t, "p0", host, "p1")
	host.Bridge(t, "br0") // as any that needs no address, such as a VLAN
	names := func(of func() ([]desired.Link, error)) (out []string) {
		host.Must(t, func() error {
			links, err := of()
			for _, l := range links {
				out = append(out, l.Name)
			}
			return err
		})
		return out
	}
	if diff := cmp.Diff([]string{"br0", "eth0", "p0", "p1"}, names(Announceable)); diff != "" {
		t.Errorf("Announceable (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"br0", "cali1", "eth0", "p0", "p1"}, names(Links)); diff != "" {
		t.Errorf("Links (-want +got):\n%s", diff)
	}
}

// Law: a list that changed while it was told is asked for again at once, and not
// for ever.
func TestDump(t *testing.T) {
	for interrupted, want := range []error{nil, nil, nil, netlink.ErrDumpInterrupted} {
		asked := 0
		got, err := dump(func() ([]int, error) {
			if asked++; asked <= interrupted {
				return []int{0}, netlink.ErrDumpInterrupted
			}
			return []int{asked}, nil
		})
		if !errors.Is(err, want) || err == nil && !slices.Equal(got, []int{interrupted + 1}) {
			t.Errorf("interrupted %d times: %v, %v, want %v", interrupted, got, err, want)
		}
	}
}

func TestUsable(t *testing.T) {
	ethernet := net.HardwareAddr(selfMAC[:])
	tests := []struct {
		name   string
		attrs  netlink.LinkAttrs
		master string
		want   bool
	}{
		{"nic", netlink.LinkAttrs{HardwareAddr: ethernet, RawFlags: unix.IFF_UP}, "", true},
		{"loopback", netlink.LinkAttrs{HardwareAddr: make(net.HardwareAddr, 6), RawFlags: unix.IFF_LOOPBACK}, "", false},
		{"dummy", netlink.LinkAttrs{HardwareAddr: ethernet, RawFlags: unix.IFF_NOARP}, "", false},
		{"tunnel", netlink.LinkAttrs{HardwareAddr: net.HardwareAddr{192, 0, 2, 1}}, "", false},
		{"no address", netlink.LinkAttrs{}, "", false},
		{"bridge port", netlink.LinkAttrs{HardwareAddr: ethernet, MasterIndex: 3}, "bridge", false},
		{"bond port", netlink.LinkAttrs{HardwareAddr: ethernet, MasterIndex: 3}, "bond", false},
		{"in a vrf", netlink.LinkAttrs{HardwareAddr: ethernet, MasterIndex: 3}, "vrf", true},
	}
	for _, tt := range tests {
		if got := usable(&tt.attrs, tt.master); got != tt.want {
			t.Errorf("%s: usable %v, want %v", tt.name, got, tt.want)
		}
	}
}
