package bgp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/netnstest"
	"github.com/heraldlb/herald/speaker/bgp"
	"github.com/heraldlb/herald/speaker/bgp/gobgp"
	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/layer2"
)

func TestMain(m *testing.M) { netnstest.Main(m) }

// frrConfig has FRR keep the routes of a node that restarts although its BFD falls
// silent: check-control-plane-failure is what that takes.
const frrConfig = `log stdout
router bgp 64513
 bgp router-id 192.0.2.254
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp graceful-restart restart-time 60
 neighbor 192.0.2.1 remote-as 64512
 neighbor 192.0.2.1 bfd
 neighbor 192.0.2.1 bfd check-control-plane-failure
 neighbor r1 interface remote-as external
 address-family ipv6 unicast
  neighbor 192.0.2.1 activate
  neighbor r1 activate
 exit-address-family
bfd
 peer 192.0.2.1 interface r0
  receive-interval 50
  transmit-interval 50
`

// An frr is a router of three daemons in a namespace of its own.
type frr struct {
	*netnstest.FRR
	t    *testing.T
	ns   *netnstest.Namespace
	wire string // the node's end of the one without addresses
}

// routers counts them. Wires of a node have names that no test has had: package net
// remembers for a minute which index a name has, in whatever namespace.
var routers int

// newFRR starts a router and wires it to the node: r0 with addresses, r1 without.
func newFRR(t *testing.T) *frr {
	t.Helper()
	node, router := netnstest.Own(t), netnstest.New(t)
	routers++
	numbered, unnumbered := fmt.Sprintf("n%d", routers), fmt.Sprintf("u%d", routers)
	node.Veth(t, numbered, router, "r0")
	node.Veth(t, unnumbered, router, "r1")
	node.Address(t, numbered, netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"))
	router.Address(t, "r0", netip.MustParsePrefix("192.0.2.254/24"))
	router.Must(t, func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644)
	})
	f := &frr{FRR: netnstest.NewFRR(t, router), t: t, ns: router, wire: unnumbered}
	f.Start(frrConfig, "bfdd", "bgpd")
	return f
}

func (f *frr) wait(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			f.t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// table returns the paths of the router, and whether they are stale.
func (f *frr) table() []string {
	f.t.Helper()
	var out []string
	for _, family := range []string{"ipv4", "ipv6"} {
		var table struct {
			Routes map[string][]struct {
				Stale    bool
				Peerid   string `json:"peerId"`
				Nexthops []struct{ IP string }
			}
		}
		_ = json.Unmarshal(f.Vtysh("show bgp "+family+" unicast json"), &table)
		for prefix, paths := range table.Routes {
			for _, p := range paths {
				out = append(out, fmt.Sprintf("%s from %s stale %v", prefix, strings.TrimPrefix(p.Peerid, "fe80::"), p.Stale))
			}
		}
	}
	slices.Sort(out)
	return out
}

// sessions returns how often the session with the node was established.
func (f *frr) sessions() int {
	f.t.Helper()
	var all map[string]struct{ ConnectionsEstablished int }
	_ = json.Unmarshal(f.Vtysh("show bgp neighbors 192.0.2.1 json"), &all)
	return all["192.0.2.1"].ConnectionsEstablished
}

// A node is an Announcer with everything that is real.
type node struct {
	*bgp.Announcer
	t    *testing.T
	wire string // of the unnumbered peer
	stop func()
}

func newNode(t *testing.T, wire string) *node {
	t.Helper()
	n := &node{t: t, wire: wire, Announcer: bgp.New(bgp.Config{
		Node: "n1", Router: gobgp.Router{}, Links: layer2.Links, WatchLinks: layer2.WatchLinks,
	})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Start(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return n
}

// want returns two peers, one of them unnumbered, and two routes.
func want(wire string, interval time.Duration) desired.BGP {
	peer := config.Peer{
		MyASN: 64512, PeerASN: 64513, Port: 179, GracefulRestart: true,
		HoldTime: 9 * time.Second, KeepaliveTime: 3 * time.Second, ConnectTime: time.Second,
	}
	numbered, unnumbered := peer, peer
	numbered.Name, numbered.Address = "numbered", netip.MustParseAddr("192.0.2.254")
	numbered.BFD = &config.BFDProfile{Name: "fast", TransmitInterval: interval, ReceiveInterval: interval, DetectMultiplier: 3}
	unnumbered.Name, unnumbered.Interface = "unnumbered", wire
	out := desired.BGP{Sessions: []*config.Peer{&numbered, &unnumbered}}
	for _, p := range []string{"10.0.0.1/32", "2001:db8:1::1/128"} {
		out.Routes = append(out.Routes, desired.Route{Prefix: netip.MustParsePrefix(p), Peers: []string{"numbered", "unnumbered"}})
	}
	return out
}

func (n *node) set(interval time.Duration) {
	n.t.Helper()
	if err := n.Set(n.t.Context(), want(n.wire, interval)); err != nil {
		n.t.Error(err)
	}
}

// up reports whether both sessions are established and BFD is up.
func (n *node) up() bool {
	s := n.Sessions()
	return len(s) == 2 && s[0].State == bgp.EstablishedState && s[1].State == bgp.EstablishedState && s[0].BFD.State == "Up"
}

// An Announcer, the library and BFD against FRR.
func TestFRR(t *testing.T) {
	if raced {
		// Each server that starts writes the same values to variables that all
		// servers of the process read (StartBgp: SelectionOptions and
		// UseMultiplePaths). make unit runs this test once without the detector.
		t.Skip("GoBGP has a data race between two servers that set the same globals; runs without -race")
	}
	f := newFRR(t)
	n := newNode(t, f.wire)
	began := time.Now()
	n.set(50 * time.Millisecond)
	f.wait("both sessions", n.up)
	t.Logf("both sessions and BFD up after %v", time.Since(began))
	f.wait("four paths", func() bool { return len(f.table()) == 4 })
	t.Logf("%q, last error %q", f.table(), n.Sessions()[0].LastError)

	// Other timers of BFD flap nothing.
	before := f.sessions() // FRR sometimes closes the first connection
	n.set(100 * time.Millisecond)
	f.wait("other timers", func() bool { return n.Sessions()[0].BFD.Detection == 300*time.Millisecond })
	if got := f.sessions(); got != before {
		t.Errorf("%d sessions, before %d", got, before)
	}

	// The wire is cut.
	cut := time.Now()
	f.ns.Change(t, "r0", netlink.LinkSetDown)
	f.wait("the end of the session", func() bool { return n.Sessions()[0].State == bgp.Idle })
	t.Logf("%v after the cut: %s", time.Since(cut), n.Sessions()[0].LastError)
	f.ns.Change(t, "r0", netlink.LinkSetUp)
	cut = time.Now()
	f.wait("both sessions again", func() bool { return n.up() && len(f.table()) == 4 })
	t.Logf("back after %v", time.Since(cut))

	// Another speaker takes over, and no path goes.
	began = time.Now()
	if err := n.Leave(t.Context(), true); err != nil {
		t.Error(err)
	}
	n.stop()
	n = newNode(t, f.wire)
	n.set(100 * time.Millisecond)
	f.wait("both sessions of the next", func() bool {
		if got := len(f.table()); got != 4 {
			t.Fatalf("%d paths after %v: %q", got, time.Since(began), f.table())
		}
		return n.up() && !strings.Contains(strings.Join(f.table(), " "), "stale true")
	})
	t.Logf("the next speaker is there after %v", time.Since(began))

	// It leaves for good.
	if err := n.Leave(t.Context(), false); err != nil {
		t.Error(err)
	}
	if got := f.table(); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	n.stop()
}
