package gobgp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/netnstest"
)

// A routerDaemon is another implementation of BGP.
type routerDaemon interface {
	// start starts it with a configuration of the session, in its own language.
	start()
	// Kill ends it without a word.
	Kill()
	// reset has it reset the session.
	reset()
	// routes returns its routes by prefix, as words.
	routes() map[string]route
	// established reports whether its session is.
	established() bool
	// updates is how many UPDATEs it has received.
	updates() int
}

// A route is one as a router has it.
type route struct {
	NextHops    string
	Path        string
	MED         int
	LocalPref   int
	Communities string
	Large       string
	Stale       bool
}

// frr is FRR's bgpd, with zebra.
type frr struct {
	*netnstest.FRR
	asn      int
	neighbor string   // the node's address
	top      []string // lines before "router bgp"
	lines    []string // lines after it
}

func newFRR(t testing.TB, ns *netnstest.Namespace, asn int, neighbor string, lines ...string) *frr {
	t.Helper()
	return &frr{FRR: netnstest.NewFRR(t, ns), asn: asn, neighbor: neighbor, lines: lines}
}

func (f *frr) start() {
	text := append(append([]string{"log stdout debugging", "debug bgp neighbor-events", "debug bgp updates in"}, f.top...),
		fmt.Sprintf("router bgp %d", f.asn), "bgp router-id 192.0.2.254", "no bgp ebgp-requires-policy", "no bgp network import-check")
	text = append(text, f.lines...)
	f.Start(strings.Join(text, "\n")+"\n", "bgpd")
}

func (f *frr) reset() { f.Vtysh("clear bgp *") }

func (f *frr) established() bool { return f.peer().BgpState == "Established" }

func (f *frr) updates() int { return f.peer().MessageStats.UpdatesRecv }

type frrPeer struct {
	BgpState       string
	LastResetDueTo string
	MessageStats   struct{ UpdatesRecv int }
}

func (f *frr) peer() frrPeer {
	var all map[string]frrPeer
	_ = json.Unmarshal(f.Vtysh("show bgp neighbors "+f.neighbor+" json"), &all)
	return all[f.neighbor]
}

func (f *frr) routes() map[string]route {
	all := map[string]route{}
	for _, family := range []string{"ipv4", "ipv6"} {
		var table struct {
			Routes map[string][]struct{ Peerid string }
		}
		_ = json.Unmarshal(f.Vtysh("show bgp "+family+" unicast json"), &table)
		for prefix := range table.Routes {
			all[prefix] = f.route(family, prefix)
		}
	}
	return all
}

func (f *frr) route(family, prefix string) route {
	var detail struct {
		Paths []struct {
			Aspath         struct{ String string }
			Metric         int
			LocPrf         int
			Stale          bool
			Community      struct{ String string }
			LargeCommunity struct{ String string }
			Nexthops       []struct{ IP string }
		}
	}
	_ = json.Unmarshal(f.Vtysh("show bgp "+family+" unicast "+prefix+" json"), &detail)
	if len(detail.Paths) != 1 {
		return route{}
	}
	p := detail.Paths[0]
	var hops []string
	for _, h := range p.Nexthops {
		hops = append(hops, h.IP)
	}
	return route{
		NextHops: strings.Join(hops, " "), Path: strings.TrimPrefix(p.Aspath.String, "Local"), MED: p.Metric, LocalPref: p.LocPrf,
		Communities: p.Community.String, Large: p.LargeCommunity.String, Stale: p.Stale,
	}
}

// wait waits for something.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	waitFor(t, 20*time.Second, what, ok)
}

func waitFor(t testing.TB, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			t.Fatalf("not within %v: %s", d, what)
		}
		<-time.After(10 * time.Millisecond)
	}
	return time.Since(began)
}
