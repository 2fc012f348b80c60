package gobgp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/bgp"
	"github.com/heraldlb/herald/speaker/desired"
)

// A kind is a kind of session.
type kind struct {
	name string
	// prepare changes the link and the neighbor.
	prepare func(l *link, n *bgp.Neighbor)
	// frr are lines of "router bgp 64513", and bird of a protocol, other than the
	// usual ones. %m is the node's address.
	frr, bird []string
	// asn is the router's; 64513 if zero.
	asn int
	// internal tells that it is the node's, too.
	internal bool
	// hopV4 is the next hop of IPv4 prefixes, if it is not the node's address.
	hopV4 func(l *link) netip.Addr
	check func(t *testing.T, e bgp.Event)
}

var kinds = []kind{
	{name: "external"},
	{name: "internal", internal: true},
	{name: "IPv6", prepare: func(l *link, n *bgp.Neighbor) { n.Address = l.v6(2) }},
	{
		name: "IPv6 internal", internal: true,
		prepare: func(l *link, n *bgp.Neighbor) { n.Address = l.v6(2) },
	},
	{
		name:    "password",
		prepare: func(_ *link, n *bgp.Neighbor) { n.Password = "correct-horse-battery-staple" },
		frr:     []string{"neighbor %m password correct-horse-battery-staple"},
		bird:    []string{`password "correct-horse-battery-staple";`},
	},
	{
		name:    "IPv6 password",
		prepare: func(l *link, n *bgp.Neighbor) { n.Address, n.Password = l.v6(2), "secret" },
		frr:     []string{"neighbor %m password secret"},
		bird:    []string{`password "secret";`},
	},
	{
		name: "multihop",
		prepare: func(l *link, n *bgp.Neighbor) {
			n.Address, n.MultiHop = netip.MustParseAddr("198.51.100.9"), true
			l.route(n.Address, l.v4(2))
		},
		frr:  []string{"neighbor %m ebgp-multihop 5", "neighbor %m update-source 198.51.100.9"},
		bird: []string{"multihop 5;", "source address 198.51.100.9;"},
	},
	{
		name:    "source address",
		prepare: func(l *link, n *bgp.Neighbor) { n.Source = l.v4(77); l.add(l.name, 77) },
	},
	{
		name:    "TTL security",
		prepare: func(_ *link, n *bgp.Neighbor) { n.TTLSecurity = true },
		frr:     []string{"neighbor %m ttl-security hops 1"},
		bird:    []string{"ttl security on;"},
	},
	{
		name:    "IPv6 TTL security",
		prepare: func(l *link, n *bgp.Neighbor) { n.Address, n.TTLSecurity = l.v6(2), true },
		frr:     []string{"neighbor %m ttl-security hops 1"},
		bird:    []string{"ttl security on;"},
	},
	{
		name:    "dynamic external",
		prepare: func(_ *link, n *bgp.Neighbor) { n.PeerASN, n.Dynamic = 0, config.DynamicExternal },
		asn:     4200000001,
	},
	{
		name:     "dynamic internal",
		prepare:  func(_ *link, n *bgp.Neighbor) { n.PeerASN, n.Dynamic = 0, config.DynamicInternal },
		internal: true,
	},
	{
		name:    "ASN of four octets",
		prepare: func(_ *link, n *bgp.Neighbor) { n.MyASN, n.PeerASN = 4200000002, 4200000001 },
		asn:     4200000001,
	},
	{
		name: "unnumbered",
		prepare: func(l *link, n *bgp.Neighbor) {
			n.Address, n.ExtendedNextHop = l.linkLocal(2).WithZone(l.name), true
		},
		frr:   []string{"neighbor %m interface e0", "neighbor %m capability extended-nexthop"},
		hopV4: func(l *link) netip.Addr { return l.linkLocal(1) },
	},
	{
		name: "unnumbered password",
		prepare: func(l *link, n *bgp.Neighbor) {
			n.Address, n.ExtendedNextHop, n.Password = l.linkLocal(2).WithZone(l.name), true, "secret"
		},
		frr:   []string{"neighbor %m interface e0", "neighbor %m capability extended-nexthop", "neighbor %m password secret"},
		bird:  []string{`password "secret";`},
		hopV4: func(l *link) netip.Addr { return l.linkLocal(1) },
	},
	{
		name:    "no hold time",
		prepare: func(_ *link, n *bgp.Neighbor) { n.HoldTime, n.KeepaliveTime = 0, 0 },
		check: func(t *testing.T, e bgp.Event) {
			if e.Established.HoldTime != 0 || e.Established.KeepaliveTime != 0 {
				t.Errorf("timers: %+v", e.Established)
			}
		},
	},
	{
		name:    "shorter hold time there",
		prepare: func(_ *link, n *bgp.Neighbor) { n.HoldTime, n.KeepaliveTime = 90*time.Second, 30*time.Second },
		frr:     []string{"neighbor %m timers 1 4"},
		bird:    []string{"hold time 4;", "keepalive time 1;"},
		check: func(t *testing.T, e bgp.Event) {
			if e.Established.HoldTime != 4*time.Second || e.Established.KeepaliveTime != time.Second {
				t.Errorf("timers: %+v", e.Established)
			}
		},
	},
	{
		name:    "bound to a device",
		prepare: func(l *link, n *bgp.Neighbor) { n.VRF = l.name },
	},
}

// TestRouters has sessions of all kinds with both routers, which have the routes
// then as they are, and after changes.
func TestRouters(t *testing.T) {
	for _, k := range kinds {
		for _, name := range []string{"FRR", "BIRD"} {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				l := newLink(t)
				n := l.neighbor()
				if k.prepare != nil {
					k.prepare(l, &n)
				}
				if k.internal && n.Dynamic == config.DynamicNone {
					n.PeerASN = n.MyASN
				}
				r := newDaemon(t, name, k, l, n)
				r.start()
				k.play(t, l, n, r)
			})
		}
	}
}

// newDaemon returns a router for a session of a kind.
func newDaemon(t testing.TB, name string, k kind, l *link, n bgp.Neighbor) routerDaemon {
	t.Helper()
	asn := 64513
	switch {
	case k.internal:
		asn = int(n.MyASN)
	case k.asn != 0:
		asn = k.asn
	}
	if name == "FRR" {
		return k.newFRR(t, l, n, asn)
	}
	return k.newBIRD(t, l, n, asn)
}

// node is the node's address that a router talks to.
func (l *link) node(n bgp.Neighbor) netip.Addr {
	switch {
	case n.Source.IsValid():
		return n.Source
	case n.Address.IsLinkLocalUnicast():
		return l.linkLocal(1)
	case n.Address.Is6():
		return l.v6(1)
	default:
		return l.v4(1)
	}
}

func (k kind) newFRR(t testing.TB, l *link, n bgp.Neighbor, asn int) *frr {
	m := l.node(n).String()
	lines := []string{fmt.Sprintf("neighbor %s remote-as %d", m, n.MyASN)}
	for _, line := range k.frr {
		lines = append(lines, strings.ReplaceAll(line, "%m", m))
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		lines = append(lines, "address-family "+family+" unicast", "neighbor "+m+" activate",
			"neighbor "+m+" soft-reconfiguration inbound", "exit")
	}
	return newFRR(t, l.router, asn, m, lines...)
}

func (k kind) newBIRD(t testing.TB, l *link, n bgp.Neighbor, asn int) *bird {
	m := l.node(n).String()
	channel := ""
	if n.ExtendedNextHop {
		m += "%e0"
		channel = "extended next hop;"
	}
	lines := []string{fmt.Sprintf("local as %d;", asn), fmt.Sprintf("neighbor %s as %d;", m, n.MyASN)}
	for _, line := range k.bird {
		lines = append(lines, strings.ReplaceAll(line, "%m", m))
	}
	return newBIRD(t, l.router, append(lines, "ipv4 { import all; export none; "+channel+" };", "ipv6 { import all; export none; };")...)
}

// play has a session, and changes its routes.
func (k kind) play(t *testing.T, l *link, n bgp.Neighbor, r routerDaemon) {
	hop4 := l.v4(1)
	if k.hopV4 != nil {
		hop4 = k.hopV4(l)
	}
	hop6 := l.v6(1)
	rich := desired.Attributes{
		MED: new(uint32(77)), LocalPref: new(uint32(333)), ASNPrepend: 2,
		Communities: []config.Community{
			{Global: 64512, Local1: 100},
			{Global: 65535, Local1: 65281}, // NO_EXPORT
			{Large: true, Global: 4200000000, Local1: 1, Local2: 2},
		},
	}
	plain4, plain6 := path("203.0.113.1/32", hop4), path("2001:db8:ffff::1/128", hop6)
	rich4, rich6 := path("203.0.113.0/28", hop4), path("2001:db8:fffe::/64", hop6)
	rich4.Attributes, rich6.Attributes = rich, rich

	s, e := openSession(t, n, plain4, rich4)
	wait(t, "established", func() bool { return e.last().State == bgp.EstablishedState && r.established() })
	est := e.last().Established
	if est.Local != l.node(n).WithZone(n.Address.Zone()) || !est.IPv4 || !est.IPv6 {
		t.Errorf("established: %+v", est)
	}
	if k.check != nil {
		k.check(t, e.last())
	}
	k.want(t, n, r, plain4, rich4)
	must(t, s.Announce([]bgp.Path{plain6, rich6}))
	k.want(t, n, r, plain4, rich4, plain6, rich6)
	plain4.Attributes, rich6.Attributes = rich, desired.Attributes{}
	must(t, s.Announce([]bgp.Path{plain4, rich6}))
	k.want(t, n, r, plain4, rich4, plain6, rich6)
	must(t, s.Withdraw([]netip.Prefix{rich4.Prefix, plain6.Prefix}))
	k.want(t, n, r, plain4, rich6)
	if last := e.last(); last.State != bgp.EstablishedState || last.Established != est {
		t.Errorf("changed since: %+v", last)
	}
	must(t, s.Close(bgp.Cease))
	wait(t, "gone there", func() bool { return len(r.routes()) == 0 })
}

// want waits for a router to have exactly the routes that are announced.
func (k kind) want(t *testing.T, n bgp.Neighbor, r routerDaemon, paths ...bgp.Path) {
	t.Helper()
	want := map[string]route{}
	for _, p := range paths {
		want[p.Prefix.String()] = k.route(n, p, r)
	}
	var diff string
	for deadline := time.Now().Add(5 * time.Second); ; {
		if diff = cmp.Diff(want, r.routes()); diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("routes (-want +got):\n%s", diff)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// route is a path as a router shows it.
func (k kind) route(n bgp.Neighbor, p bgp.Path, r routerDaemon) route {
	w := route{NextHops: p.NextHop.String()}
	prepend := p.Attributes.ASNPrepend + 1
	if k.internal {
		prepend = 0
	}
	for i := range prepend {
		if i > 0 {
			w.Path += " "
		}
		w.Path += fmt.Sprint(n.MyASN)
	}
	if p.Attributes.MED != nil {
		w.MED = int(*p.Attributes.MED)
	}
	_, isBIRD := r.(*bird)
	switch {
	case k.internal && p.Attributes.LocalPref != nil:
		w.LocalPref = int(*p.Attributes.LocalPref)
	case k.internal || isBIRD: // BIRD shows its default
		w.LocalPref = 100
	}
	for _, c := range p.Attributes.Communities {
		switch {
		case c.Large:
			w.Large = fmt.Sprintf("%d:%d:%d", c.Global, c.Local1, c.Local2)
		case c.Global == 65535 && !isBIRD:
			w.Communities += " no-export"
		default:
			w.Communities += fmt.Sprintf(" %d:%d", c.Global, c.Local1)
		}
	}
	if w.Communities != "" {
		w.Communities = w.Communities[1:]
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add adds an IPv4 address to an interface of this node.
func (l *link) add(name string, last int) {
	l.t.Helper()
	netnstest.Own(l.t).Address(l.t, name, netip.PrefixFrom(l.v4(last), 24))
}

// route gives the router an address on its loopback, and this node a way to it.
func (l *link) route(to, via netip.Addr) {
	l.t.Helper()
	host := netip.PrefixFrom(to, to.BitLen())
	l.router.Address(l.t, "lo", host)
	dst, err := netlink.ParseIPNet(host.String())
	must(l.t, err)
	must(l.t, netlink.RouteReplace(&netlink.Route{Dst: dst, Gw: via.AsSlice()}))
}
