package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

// TestBGP runs every test of BGP on one lab of both families, with FRR and BIRD
// as the routers, in this order.
func TestBGP(t *testing.T) {
	run(t, bgpLab(*labName+"bgp"), []test{
		{"announce as advertised", testAdvertised},
		{"say a change once", testSayOnce},
		{"follow endpoints", testFollowEndpoints},
		{"announce in layer 2 too", testBothModes},
		{"speak iBGP", testInternal},
		{"change passwords", testPasswords},
		{"take settings of a peer", testSettings},
		{"reach a router several hops away", testMultiHop},
		{"speak over a link without addresses", testUnnumbered},
		{"tell why there is no session", testDiagnosis},
		{"live beside another BGP speaker", testNeighborSpeaker},
		{"bear a hostile router", testHostile},
		{"run the routers of the page", testPage},
		{"lose nothing that is planned, or crashes", testNoLoss},
		{"cut a node off from routers", testCutBGP},
		{"be refused nothing", testRefusals},
	})
}

// bgpLab returns the lab of the tests of BGP.
func bgpLab(name string) lab {
	return lab{name, []string{"--nodes", "3", "--clients", "2", "--routers", "frr,bird", "--ip-family", "dual"}, setUpBGP}
}

// The ASNs of the tests: of the nodes, and of the routers as the lab makes them.
const (
	nodeASN   = 64512
	routerASN = 64513
)

// Hosts of the lab that are routers, and the client that goes through each.
const (
	frr1  = "frr1"
	bird1 = "bird1"
)

var (
	routers  = []string{frr1, bird1}
	clientOf = map[string]string{frr1: "client", bird1: "client2"}
)

// routed are the prefixes that only routers lead to. Nobody gets an address of
// them without asking for it.
var routed = []netip.Prefix{netip.MustParsePrefix("198.18.50.0/24"), netip.MustParsePrefix("fd42:50::/64")}

// setUpBGP gives the cluster pools, an echo pod on every node, and layer 2 for
// what is on the segment.
func setUpBGP(t *testing.T, c *cluster) {
	t.Helper()
	c.rolledOut(t)
	c.apply(t, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: main}
spec: {addresses: [%s]}
---
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed, labels: {network: routed}}
spec: {addresses: ["%s", "%s"], autoAssign: false}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: main}
spec: {ipAddressPools: [main]}
`, ranges(c.segments, 100, 149), routed[0], routed[1]))
	c.accepted(t, "ipaddresspools", "main", "True")
	c.accepted(t, "ipaddresspools", "routed", "True")
	c.echoPods(t)
	for _, router := range routers {
		for i, p := range routed {
			if err := c.Via(t.Context(), clientOf[router], p, c.hostAddr(t, router, c.segments[i].Addr())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A peer says what the tests want of a BGPPeer.
type peer struct {
	// router is the host that it is, and name the object's, by default the same.
	router, name string
	// v6 makes IPv6 the transport; address, if there is one, is used instead of
	// the router's own.
	v6      bool
	address string
	// more are further fields of spec, in YAML's flow style, and on the nodes
	// that have the session, all of them by default.
	more string
	on   []string
	// asn is the router's; 0 means routerASN, -1 that more says it.
	asn int
}

// key returns the name of the object.
func (p peer) key() string {
	if p.name != "" {
		return p.name
	}
	return p.router
}

// manifest returns the BGPPeer as YAML. Nobody waits long for another attempt.
func (p peer) manifest(address string) string {
	spec := fmt.Sprintf("myASN: %d, connectTime: 1s", nodeASN)
	if p.asn >= 0 {
		asn := p.asn
		if asn == 0 {
			asn = routerASN
		}
		spec += fmt.Sprintf(", peerASN: %d", asn)
	}
	if address != "" {
		spec += fmt.Sprintf(", peerAddress: %q", address)
	}
	if p.on != nil {
		spec += ", " + nodesNamed(p.on...)
	}
	if p.more != "" {
		spec += ", " + p.more
	}
	return fmt.Sprintf("---\napiVersion: heraldlb.io/v1beta1\nkind: BGPPeer\nmetadata: {name: %s}\nspec: {%s}\n", p.key(), spec)
}

// nodesNamed returns the field that selects nodes by their names.
func nodesNamed(names ...string) string {
	list := ""
	for i, n := range names {
		if i > 0 {
			list += ", "
		}
		list += n
	}
	return fmt.Sprintf("nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]", list)
}

// bothRouters are FRR over IPv4 and BIRD over IPv6, with further fields.
func bothRouters(more string) []peer {
	return []peer{{router: frr1, more: more}, {router: bird1, v6: true, more: more}}
}

// peering makes peers and waits until the routers have their sessions.
func (c *cluster) peering(t *testing.T, peers ...peer) {
	t.Helper()
	manifest := ""
	for _, p := range peers {
		manifest += p.manifest(c.peerAddress(t, p))
	}
	c.apply(t, manifest)
	for _, p := range peers {
		c.accepted(t, "bgppeers", p.key(), "True")
	}
	c.established(t, peers...)
}

// peerAddress returns the address of a peer as its object has it; none for one
// that has an interface instead.
func (c *cluster) peerAddress(t *testing.T, p peer) string {
	t.Helper()
	switch {
	case p.address == "none":
		return ""
	case p.address != "":
		return p.address
	case p.v6:
		return c.hostAddr(t, p.router, c.segments[1].Addr()).String()
	}
	return c.hostAddr(t, p.router, c.segments[0].Addr()).String()
}

// established waits until each peer's router has its sessions, as many as there
// are nodes that should have one.
func (c *cluster) established(t *testing.T, peers ...peer) {
	t.Helper()
	want := map[string]int{}
	for _, p := range peers {
		n := len(c.nodes)
		if p.on != nil {
			n = len(p.on)
		}
		want[p.router] += n
	}
	for router, n := range want {
		eventually(t, patience, router+" has its sessions", func(ctx context.Context) error {
			up, err := c.up(ctx, router)
			if err == nil && len(up) != n {
				err = errNot(fmt.Sprint(len(up), " sessions"), n)
			}
			return err
		})
	}
}

// advertisement returns a BGPAdvertisement as YAML; spec is in flow style.
func advertisement(name, spec string) string {
	return fmt.Sprintf("---\napiVersion: heraldlb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: %s}\nspec: {%s}\n", name, spec)
}

// advertise applies a BGPAdvertisement and waits until it is in force.
func (c *cluster) advertise(t *testing.T, name, spec string) {
	t.Helper()
	c.apply(t, advertisement(name, spec))
	c.accepted(t, "bgpadvertisements", name, "True")
}
