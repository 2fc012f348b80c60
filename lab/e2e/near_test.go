package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The pools near the nodes: each node has one, whose addresses it is preferred
// for. Nobody gets an address of them without asking for it.
const (
	firstNear = 200
	manyNear  = 18
)

// nearPools returns the pools near the nodes, and their advertisements.
func (c *cluster) nearPools() string {
	var b strings.Builder
	for i, node := range c.nodes {
		from := firstNear + i*manyNear
		fmt.Fprintf(&b, `
---
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: near-%[1]s}
spec: {addresses: [%[2]s], autoAssign: false}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: near-%[1]s}
spec:
  ipAddressPools: [near-%[1]s]
  preferredNodes: [{weight: 100, selector: {matchLabels: {kubernetes.io/hostname: %[1]s}}}]
`, node, ranges(slices.Concat(c.segments, c.seconds), from, from+manyNear-1))
	}
	return b.String()
}

// near gives a Service addresses that no Service had before and that one node
// announces, all of them. Its endpoint is on another node, so that the loss of
// the announcing node shows the announcement fail over, and nothing else.
func (c *cluster) near(t *testing.T, name, node string) []netip.Addr {
	t.Helper()
	return c.nearOn(t, c.segments, name, node)
}

// nearOn is near in other networks than the segment.
func (c *cluster) nearOn(t *testing.T, networks []netip.Prefix, name, node string) []netip.Addr {
	t.Helper()
	i := slices.Index(c.nodes, node)
	number := firstNear + i*manyNear + c.nears[node]%manyNear
	c.nears[node]++
	addrs := c.serveAll(t, service{name: name, on: c.nodes[(i+1)%len(c.nodes)], annotations: wish(networks, number)})
	c.answers(t, addrs...)
	c.heldBy(t, addrs, node)
	return addrs
}
