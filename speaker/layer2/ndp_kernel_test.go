package layer2

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/desired"
)

// groupsOf returns the solicited-node groups that an interface has joined, as
// the kernel says.
func groupsOf(t *testing.T, ns *netnstest.Namespace, name string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := ns.Do(func() error {
		f, err := os.Open("/proc/thread-self/net/igmp6")
		if err != nil {
			return err
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 3 || fields[1] != name {
				continue
			}
			b, err := hex.DecodeString(fields[2])
			if err != nil {
				return err
			}
			if a, _ := netip.AddrFromSlice(b); strings.HasPrefix(a.String(), "ff02::1:ff") {
				out[a.String()] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Law: an interface is in the solicited-node group of every address that is
// answered or probed for on it, and in no other one. Two addresses may share a
// group.
func TestGroups(t *testing.T) {
	t.Parallel()
	lan := newVethLAN(t, "h0", "h1")
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	const one, same, other = "2001:db8::1:2", "2001:db8:7::1:2", "2001:db8::77"
	group := func(addr string) string {
		g, err := ndp.SolicitedNodeMulticast(ip(t, addr))
		if err != nil {
			t.Fatal(err)
		}
		return g.String()
	}
	before := map[string]map[string]bool{"h0": groupsOf(t, lan.ns, "h0"), "h1": groupsOf(t, lan.ns, "h1")}
	steps := []struct {
		name   string
		want   []desired.Layer2Address
		h0, h1 []string
	}{
		{"one", r.want([]string{"h0"}, one), []string{one}, nil},
		{"two that share a group", r.want([]string{"h0"}, one, same), []string{one}, nil},
		{"the first has gone", r.want([]string{"h0"}, same), []string{same}, nil},
		{"both interfaces", r.want([]string{"h0", "h1"}, same, other), []string{same, other}, []string{same, other}},
		{"one that is probed for", r.fresh([]string{"h1"}, one), nil, []string{one}},
		{"one that yields", yielding(r.want([]string{"h1"}, one)), nil, nil},
		{"nothing", nil, nil, nil},
	}
	for _, s := range steps {
		r.set(s.want)
		for name, addrs := range map[string][]string{"h0": s.h0, "h1": s.h1} {
			want := map[string]bool{}
			for g := range before[name] {
				want[g] = true
			}
			for _, addr := range addrs {
				want[group(addr)] = true
			}
			// The kernel joins the group of its own address a moment after the
			// interface is up.
			got := groupsOf(t, lan.ns, name)
			for g := range got {
				if !want[g] && g != group(one) && g != group(other) {
					want[g] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: groups of %s (-want +got):\n%s", s.name, name, diff)
			}
		}
	}
}

// A setup of one host with h0, and a client of its own kernel on the other end.
func hostAndClient(t *testing.T) (*vethLAN, *netnstest.Namespace) {
	t.Helper()
	lan, client := newVethLAN(t, "h0"), netnstest.New(t)
	lan.ns.Veth(t, "pc", client, "c0")
	lan.ns.Bridge(t, "br0", "ph0", "pc")
	client.Address(t, "c0", clientAddrs...)
	return lan, client
}

// eventually runs fn in a namespace until it says true.
func eventually(t *testing.T, ns *netnstest.Namespace, what string, fn func() (bool, error)) {
	t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		var ok bool
		err := ns.Do(func() (err error) { ok, err = fn(); return err })
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("not seen: %s", what)
		}
	}
}

// A client's kernel that doubts whether its neighbour is still there asks it
// alone, and is satisfied by our answer, in both families.
func TestKernelProbesReachability(t *testing.T) {
	t.Parallel()
	lan, client := hostAndClient(t)
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	addrs := []netip.Addr{ip(t, "192.0.2.1"), ip(t, "2001:db8::1:2")}
	r.set(r.want([]string{"h0"}, addrs[0].String(), addrs[1].String()))
	for _, addr := range addrs {
		knows(t, client, addr, lan.mac("h0"))
		entry := func() (*netlink.Neigh, error) {
			all, err := netlink.NeighList(0, unix.AF_UNSPEC)
			for _, n := range all {
				if got, _ := netip.AddrFromSlice(n.IP); got.Unmap() == addr {
					return &n, err
				}
			}
			return nil, err
		}
		for range 3 {
			err := client.Do(func() error {
				n, err := entry()
				if err == nil && n != nil {
					n.State = netlink.NUD_PROBE // asks at once
					err = netlink.NeighSet(n)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, client, addr.String()+" reachable", func() (bool, error) {
				n, err := entry()
				return n != nil && n.State == netlink.NUD_REACHABLE, err
			})
		}
	}
}

// A kernel that wants to have our address detects that it is taken (RFC 4862
// section 5.4).
func TestKernelFindsDuplicate(t *testing.T) {
	t.Parallel()
	lan, client := hostAndClient(t)
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	const addr = "2001:db8::1:2"
	r.set(r.want([]string{"h0"}, addr))
	client.Change(t, "c0", func(l netlink.Link) error {
		own, err := netlink.ParseAddr(addr + "/64")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(l, own)
	})
	eventually(t, client, "a duplicate address", func() (bool, error) {
		all, err := netlink.AddrList(nil, unix.AF_INET6)
		for _, a := range all {
			if a.IP.String() == addr {
				return a.Flags&unix.IFA_F_DADFAILED != 0, err
			}
		}
		return false, err
	})
}

// An address that a kernel on the link has is not announced, in either family,
// and the kernel's own address stays with it.
func TestKernelHasAddress(t *testing.T) {
	t.Parallel()
	lan, client := hostAndClient(t)
	var theirs mac
	client.Change(t, "c0", func(l netlink.Link) error {
		theirs, _ = toMAC(l.Attrs().HardwareAddr)
		return nil
	})
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	r.count("h0", 300*time.Millisecond, all) // the bridge's ports are up
	r.set(r.fresh([]string{"h0"}, "192.0.2.99", "2001:db8::99"))
	seen := map[string]string{}
	for len(seen) < 2 {
		select {
		case c := <-r.a.Conflicts():
			seen[c.Address.String()] = c.MAC
		case <-time.After(5 * time.Second):
			t.Fatalf("conflicts: %v", seen)
		}
	}
	want := map[string]string{"192.0.2.99": theirs.String(), "2001:db8::99": theirs.String()}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	r.led(map[string][]string{})
}

// The own kernel, which has forwarded for an address to the node that had it
// before, learns that the address is here now: its redirects would lead clients
// back there otherwise.
func TestOwnKernelLearns(t *testing.T) {
	t.Parallel()
	lan, _ := hostAndClient(t)
	addr := ip(t, "2001:db8::1:2")
	entry := func() (*netlink.Neigh, error) {
		all, err := netlink.NeighList(0, unix.AF_INET6)
		i := slices.IndexFunc(all, func(n netlink.Neigh) bool { return n.IP.String() == addr.String() })
		if i < 0 {
			return nil, err
		}
		return &all[i], err
	}
	err := lan.ns.Do(func() error {
		l, err := netlink.LinkByName("h0")
		if err != nil {
			return err
		}
		return netlink.NeighAdd(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: addr.AsSlice(),
			HardwareAddr: mac{2, 0, 0, 0, 0, 1}.hw(), State: netlink.NUD_STALE, Family: unix.AF_INET6})
	})
	if err != nil {
		t.Fatal(err)
	}
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	r.set(r.want([]string{"h0"}, addr.String()))
	eventually(t, lan.ns, "the own hardware address in the own neighbor cache", func() (bool, error) {
		n, err := entry()
		if n == nil || err != nil {
			return false, err
		}
		m, _ := toMAC(n.HardwareAddr)
		return m == lan.mac("h0"), nil
	})
}
