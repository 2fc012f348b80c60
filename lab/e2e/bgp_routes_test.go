package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/router"
)

// advertised is a kind of advertisement, and the table that it makes.
type advertised struct {
	name, manifest string
	// want is of the Services number 1 (plain) and 2 (labelled tier=gold), for
	// each router.
	want func(router string, nodes []string) []string
}

// same is want for a table that both routers have.
func same(f func(nodes []string) []string) func(string, []string) []string {
	return func(_ string, nodes []string) []string { return f(nodes) }
}

// all returns the host routes of both Services with the same attributes.
func all(attributes string) func(nodes []string) []string {
	return func(nodes []string) []string { return paths(nodes, attributes, slices.Concat(host(1), host(2))...) }
}

// kinds are the kinds of advertisements.
func kinds() []advertised {
	const path = "path 64512"
	whole := []string{routed[0].String(), routed[1].String()}
	return []advertised{
		{"everything", advertisement("a", ""), same(all(path))},
		{"aggregated", advertisement("a", "aggregationLength: 24, aggregationLengthV6: 64"),
			same(func(nodes []string) []string { return paths(nodes, path, whole...) })},
		{"aggregated, host routes kept", advertisement("a", "aggregationLength: 24, aggregationLengthV6: 64, communities: ['64512:24']") +
			advertisement("b", ""), same(func(nodes []string) []string {
			return sorted(paths(nodes, path+" communities 64512:24", whole...), all(path)(nodes))
		})},
		{"med", advertisement("a", "med: 10"), same(all(path + " med 10"))},
		{"prepended", advertisement("a", "asPathPrepend: 2"), same(all("path 64512 64512 64512"))},
		{"local preference to another AS", advertisement("a", "localPref: 200"), same(all(path))},
		{"communities", advertisement("a", "communities: [keep, '64512:100', '64512:1:2', 'large:64512:3:4', ours]") + `
---
apiVersion: heraldlb.io/v1beta1
kind: Community
metadata: {name: named}
spec: {communities: [{name: keep, value: '65535:65281'}, {name: ours, value: '64512:7:7'}]}
`, same(all(path + " communities 64512:100 65535:65281 64512:1:2 64512:3:4 64512:7:7"))},
		{"one peer", advertisement("a", "peers: [frr1]"), func(router string, nodes []string) []string {
			if router != frr1 {
				return nil
			}
			return all(path)(nodes)
		}},
		{"each peer its own", advertisement("a", "peers: [frr1], med: 1") + advertisement("b", "peers: [bird1], med: 2"),
			func(router string, nodes []string) []string {
				return all(path + map[string]string{frr1: " med 1", bird1: " med 2"}[router])(nodes)
			}},
		{"one node", advertisement("a", nodesNamed("node2")), same(func([]string) []string { return all(path)([]string{"node2"}) })},
		{"some Services", advertisement("a", "serviceSelectors: [{matchLabels: {tier: gold}}]"),
			same(func(nodes []string) []string { return paths(nodes, path, host(2)...) })},
		{"pools by name", advertisement("a", "ipAddressPools: [routed]"), same(all(path))},
		{"pools by label", advertisement("a", "ipAddressPoolSelectors: [{matchLabels: {network: routed}}]"), same(all(path))},
		{"another pool", advertisement("a", "ipAddressPools: [main]"), same(func([]string) []string { return nil })},
		{"two that contradict each other", advertisement("a", "med: 1") + advertisement("b", "med: 2"), same(all(path + " med 1"))},
		{"two that agree", advertisement("a", "med: 3, "+nodesNamed("node1")) + advertisement("b", "med: 3"), same(all(path + " med 3"))},
	}
}

// sorted returns lists as one.
func sorted(lists ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(lists...))) }

// The table of each router is exactly what advertisements make of the Services,
// for every kind of advertisement, one after another, and empty without.
func testAdvertised(t *testing.T, c *cluster) {
	c.peering(t, bothRouters("")...)
	c.routedService(t, service{name: "plain"}, 1)
	c.routedService(t, service{name: "gold", labels: map[string]string{"tier": "gold"}}, 2)
	for _, kind := range kinds() {
		t.Run(kind.name, func(t *testing.T) {
			c.apply(t, kind.manifest)
			for _, name := range routers {
				c.exactly(t, name, kind.name, kind.want(name, c.nodes))
			}
		})
	}
	c.everywhere(t, "nothing without an advertisement", nil)
}

// said is what a router's sessions have said to it: UPDATEs to FRR, changes of
// a prefix to BIRD.
type said map[string]int

// said asks a router.
func (c *cluster) said(t *testing.T, name string) said {
	t.Helper()
	up, err := c.up(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	out := said{}
	for _, s := range up {
		out[s.Peer] = count(s)
	}
	return out
}

// count returns what a session was counted to have said.
func count(s router.Session) int {
	n := 0
	for _, by := range []*int{s.Updates, s.Changes} {
		if by != nil {
			n += *by
		}
	}
	return n
}

// saying does something and checks what every session says of it: n to each
// router. It returns when that has been said and nothing more for a while.
func (c *cluster) saying(t *testing.T, what string, n map[string]int, do func()) {
	t.Helper()
	before := map[string]said{}
	for _, name := range routers {
		before[name] = c.said(t, name)
	}
	do()
	right := func(name string) error {
		now := c.said(t, name)
		for peer, was := range before[name] {
			if got := now[peer] - was; got != n[name] || len(now) != len(c.nodes) {
				return errNot(fmt.Sprintf("%s: %d from %s, %d sessions", what, got, peer, len(now)), n[name])
			}
		}
		return nil
	}
	for _, name := range routers {
		eventually(t, atOnce, what+" said to "+name, func(context.Context) error { return right(name) })
	}
	always(t, time.Second, what+" said once", func(context.Context) error { return errNil(right(frr1), right(bird1)) })
}

// errNil returns the first error that is one.
func errNil(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// What changes is said once, by each node to each router, and what does not
// change is not said.
func testSayOnce(t *testing.T, c *cluster) {
	c.peering(t, bothRouters("")...)
	c.advertise(t, "a", "ipAddressPools: [routed]")
	c.routedService(t, service{name: "steady"}, 1)
	c.everywhere(t, "the first Service", paths(c.nodes, "path 64512", host(1)...))
	one := map[string]int{frr1: 1, bird1: 1}

	s := service{name: "changed", annotations: wish(routed[:1], 2)}
	c.saying(t, "a new Service", one, func() { c.serve(t, s) })
	c.saying(t, "a Service of another pool", nil, func() { c.serve(t, service{name: "elsewhere"}) })
	c.saying(t, "unrelated changes", nil, func() { c.unrelated(t) })
	c.saying(t, "an advertisement to one router", map[string]int{bird1: 2}, func() {
		c.advertise(t, "b", "ipAddressPools: [routed], peers: [bird1], aggregationLength: 24, aggregationLengthV6: 64")
	})
	c.saying(t, "a Service deleted", one, func() { c.kubectl(t, "delete", "service", s.name) })
}

// unrelated changes much that no route depends on.
func (c *cluster) unrelated(t *testing.T) {
	t.Helper()
	for _, args := range []string{
		"annotate --all nodes example.org/look=again --overwrite",
		"annotate --all services example.org/look=again --overwrite",
		"label service steady example.org/colour=blue --overwrite",
		"annotate --all bgppeers example.org/look=again --overwrite",
		"annotate --all bgpadvertisements example.org/look=again --overwrite",
	} {
		c.kubectl(t, strings.Fields(args)...)
	}
}
