package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Labels and taints by which an operator keeps load balancing off a node.
const (
	// excludeLabel is Kubernetes' own (KEP-1143).
	excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
	// outOfService says that the node is shut down (KEP-2268).
	outOfService = "node.kubernetes.io/out-of-service"
)

// A node that is excluded, or out of service, hands its addresses over without
// a loss, and when it is no more, it takes nothing back.
func testExclude(t *testing.T, c *cluster) {
	for i, how := range []struct{ verb, on, off string }{
		{"label", excludeLabel + "=", excludeLabel + "-"},
		{"taint", outOfService + "=nodeshutdown:NoExecute", outOfService + "-"},
	} {
		holder := c.nodes[i]
		addrs := c.near(t, fmt.Sprintf("excluded%d", i), holder)
		probe := c.probe(t, addrs, 3*time.Minute)
		c.kubectl(t, how.verb, "node", holder, how.on)
		back := false
		t.Cleanup(func() {
			if !back {
				c.cleanly(t, how.verb, "node", holder, how.off)
			}
		})
		now := c.heldByOther(t, addrs, holder)
		c.kubectl(t, how.verb, "node", holder, how.off)
		back = true
		c.stays(t, addrs, now, 2*time.Second)
		unharmed(t, fmt.Sprintf("%s of %s", how.verb, holder), probe.stop(t), 2)
		c.rolledOut(t)
	}
}

// A node whose kubelet has died hands its addresses over without a loss.
func testUnready(t *testing.T, c *cluster) {
	holder := c.nodes[0]
	addrs := c.near(t, "unready", holder)
	probe := c.probe(t, addrs, 3*time.Minute)
	c.lab(t, "kill", holder, "kubelet", "--signal", "KILL")
	t.Cleanup(func() { c.healed(t, holder) })
	c.held(t, addrs, 3*patience, "another answers once the node is NotReady", func(host string) bool { return host != holder })
	unharmed(t, holder+" not ready", probe.stop(t), 2)
	c.healed(t, holder)
	c.rolledOut(t)
}

// Draining a node evicts no speaker and costs no connection.
func testDrain(t *testing.T, c *cluster) {
	holder := c.nodes[2]
	addrs := c.near(t, "drained", holder)
	probe := c.probe(t, addrs, 2*time.Minute)
	t.Cleanup(func() { c.cleanly(t, "uncordon", holder) })
	c.kubectl(t, "drain", holder, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
	c.settled(t, addrs)
	unharmed(t, holder+" drained", probe.stop(t), 1)
	c.kubectl(t, "uncordon", holder)
	c.rolledOut(t)
	c.echoing(t)
}

// With failback an address returns to the node that is preferred, as soon as
// that can announce it again, and without a loss.
func testFailback(t *testing.T, c *cluster) {
	home := c.nodes[1]
	c.apply(t, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: homesick}
spec: {addresses: [%s], autoAssign: false}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: homesick}
spec:
  ipAddressPools: [homesick]
  failback: true
  preferredNodes: [{weight: 100, selector: {matchLabels: {kubernetes.io/hostname: %s}}}]
`, ranges(c.segments, 156, 159), home))
	addrs := c.serveAll(t, service{name: "homesick", on: c.nodes[2], annotations: wish(c.segments, 156)})
	c.answers(t, addrs...)
	c.heldBy(t, addrs, home)
	probe := c.probe(t, addrs, 3*time.Minute)
	c.kubectl(t, "label", "node", home, excludeLabel+"=")
	t.Cleanup(func() { c.cleanly(t, "label", "node", home, excludeLabel+"-") })
	c.heldByOther(t, addrs, home)
	c.kubectl(t, "label", "node", home, excludeLabel+"-")
	c.heldBy(t, addrs, home)
	unharmed(t, "away from home and back", probe.stop(t), 4)
}

// Fresh addresses are spread over the nodes that may announce them, however
// few they are: no node has more than its share, rounded up.
func testSpread(t *testing.T, c *cluster) {
	tests := []struct {
		name, family, network string
		services, most        int
	}{
		{name: "few4", family: "IPv4", network: "198.18.16.0/24", services: 3, most: 1},
		{name: "few6", family: "IPv6", network: "fd42:16::/64", services: 3, most: 1},
		{name: "many4", family: "IPv4", network: "198.18.17.0/24", services: 10, most: 4},
		{name: "many6", family: "IPv6", network: "fd42:17::/64", services: 10, most: 4},
	}
	for _, tt := range tests {
		prefixes := []netip.Prefix{netip.MustParsePrefix(tt.network)}
		if !c.speaks(prefixes[0].Addr()) {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			c.apply(t, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: %s}
spec: {addresses: [%s], autoAssign: false}
`, tt.name, ranges(prefixes, 1, 50)))
			var addrs []netip.Addr
			for i := range tt.services {
				addrs = append(addrs, c.serve(t, service{
					name: fmt.Sprint(tt.name, "-", i), family: tt.family, annotations: wish(prefixes, i+1),
				}))
			}
			has := map[string]int{}
			for _, node := range c.settled(t, addrs) {
				has[node]++
			}
			t.Logf("%d addresses: %v", tt.services, has)
			for node, n := range has {
				if n > tt.most {
					t.Errorf("%s has %d of %d addresses, want at most %d", node, n, tt.services, tt.most)
				}
			}
		})
	}
}
