package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// get is what reads of one object need: nothing.
var get = metav1.GetOptions{}

// A pool's address reaches the Service's pods from a host outside the cluster.
func testReach(t *testing.T, c *cluster) {
	addrs := c.serveAll(t, service{name: "reach"})
	c.answers(t, addrs...)
	for _, report := range c.probe(t, addrs, 2*time.Second).wait(t) {
		if report.Failures > 0 || len(report.Backends) < 2 {
			t.Errorf("got %s, want no failure and several backends", report.Text())
		}
	}
}

// Under externalTrafficPolicy: Local the backend sees the client's own
// address, and only a node that has a backend announces.
func testLocal(t *testing.T, c *cluster) {
	node := c.nodes[1]
	addrs := c.serveAll(t, service{name: "local", local: true, on: node})
	c.answers(t, addrs...)
	for i, report := range c.probe(t, addrs, time.Second).wait(t) {
		if holder := c.holder(t, addrs[i]); holder != node {
			t.Errorf("%s announces %s, want %s, which has the only endpoint", holder, addrs[i], node)
		}
		client := c.hostAddr(t, "client", addrs[i]).String()
		if len(report.Clients) != 1 || report.Clients[client] != report.Good || report.Good == 0 {
			t.Errorf("backend saw clients %v, want only %s", report.Clients, client)
		}
	}
}

// A deleted Service's address falls silent, and is free for the next.
func testDelete(t *testing.T, c *cluster) {
	first := service{name: "first", annotations: wish(c.segments, 120)}
	addrs := c.serveAll(t, first)
	c.answers(t, addrs...)
	c.kubectl(t, "delete", "service", first.name)
	c.silent(t, addrs...)
	second := first
	second.name = "second"
	if got := c.serveAll(t, second); !slices.Equal(got, addrs) {
		t.Errorf("second Service got %s, want %s", got, addrs)
	}
	c.answers(t, addrs...)
}

// A Service that stops being a LoadBalancer gives its address back.
func testChangeType(t *testing.T, c *cluster) {
	svc := service{name: "changed", annotations: wish(c.segments, 121)}
	addrs := c.serveAll(t, svc)
	c.answers(t, addrs...)
	c.kubectl(t, "patch", "service", svc.name, "-p", `{"spec":{"type":"ClusterIP","externalTrafficPolicy":null}}`)
	c.silent(t, addrs...)
	eventually(t, patience, "empty status", func(ctx context.Context) error {
		got, err := c.ingress(ctx, svc)
		if err == nil && len(got) > 0 {
			err = errNot(got, "no address")
		}
		return err
	})
	next := service{name: "next", annotations: svc.annotations}
	if got := c.serveAll(t, next); !slices.Equal(got, addrs) {
		t.Errorf("next Service got %s, want %s", got, addrs)
	}
}

// pool returns an IPAddressPool of one range as YAML.
func (c *cluster) pool(name string, from, to int, allocation string) string {
	return fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: %s}
spec:
  addresses: ["%s-%s"]
  serviceAllocation: {%s}
`, name, c.vip(from), c.vip(to), allocation)
}

// The pool of the better priority comes first, the next when it is full.
func testPriority(t *testing.T, c *cluster) {
	c.apply(t, c.pool("second", 160, 169, "priority: 20"))
	c.apply(t, c.pool("best", 170, 170, "priority: 10"))
	c.accepted(t, "ipaddresspools", "best", "True")
	c.accepted(t, "ipaddresspools", "second", "True")
	if got, want := c.serve(t, service{name: "one"}), c.vip(170); got != want {
		t.Errorf("first Service got %s, want %s of the best pool", got, want)
	}
	if got, want := c.serve(t, service{name: "two"}), c.vip(160); got != want {
		t.Errorf("second Service got %s, want %s of the second pool", got, want)
	}
}

// A pool serves only the namespaces and Services that it selects.
func testSelectors(t *testing.T, c *cluster) {
	c.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: team, labels: {team: blue}}}`)
	c.apply(t, c.pool("blue", 180, 184, "priority: 5, namespaceSelectors: [{matchLabels: {team: blue}}]"))
	c.apply(t, c.pool("gold", 185, 189, "priority: 5, serviceSelectors: [{matchLabels: {tier: gold}}]"))
	c.accepted(t, "ipaddresspools", "blue", "True")
	c.accepted(t, "ipaddresspools", "gold", "True")

	if got, want := c.serve(t, service{name: "plain"}), c.vip(100); got.Compare(want) < 0 || c.vip(149).Compare(got) < 0 {
		t.Errorf("Service that nothing selects got %s, want one of the pool for all", got)
	}
	if got, want := c.serve(t, service{name: "inblue", namespace: "team"}), c.vip(180); got != want {
		t.Errorf("Service in namespace team got %s, want %s", got, want)
	}
	if got, want := c.serve(t, service{name: "golden", labels: map[string]string{"tier": "gold"}}), c.vip(185); got != want {
		t.Errorf("Service labelled tier=gold got %s, want %s", got, want)
	}
}

// A Service gets the address that it asks for, or a reason that says why not.
func testExplicit(t *testing.T, c *cluster) {
	ask := func(name, address string) service {
		return service{name: name, annotations: map[string]string{"heraldlb.io/addresses": address}}
	}
	want := c.vip(130)
	if got := c.serve(t, ask("wanted", want.String())); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []struct {
		svc    service
		reason string
		words  []string
	}{
		{ask("taken", want.String()), "AddressInUse", []string{want.String(), "default/wanted"}},
		{ask("outside", "203.0.113.9"), "AddressNotInPool", []string{"203.0.113.9"}},
		{ask("malformed", "10.0.0.300"), "InvalidAnnotation", []string{"heraldlb.io/addresses", "10.0.0.300"}},
	} {
		c.apply(t, bad.svc.manifest())
		c.pending(t, bad.svc, bad.reason, bad.words...)
	}
	// A mistake that is mended is served at once.
	mended := ask("mended", "10.0.0.300")
	c.apply(t, mended.manifest())
	c.pending(t, mended, "InvalidAnnotation", "10.0.0.300")
	c.kubectl(t, "annotate", "service", mended.name, "heraldlb.io/addresses-")
	c.address(t, mended)
	// Once its holder is gone, the address goes to the one that waits for it.
	c.kubectl(t, "delete", "service", "wanted")
	if got := c.address(t, ask("taken", "")); got != want {
		t.Errorf("the Service that waited got %s, want %s", got, want)
	}
}

// A typo is refused at kubectl apply, with a message that names it.
func testRefused(t *testing.T, c *cluster) {
	const header = "apiVersion: heraldlb.io/v1beta1\nkind: %s\nmetadata: {name: bad}\nspec: %s\n"
	for _, bad := range []struct {
		kind, spec string
		words      []string
	}{
		{"IPAddressPool", `{addresses: ["10.0.0.0/33"]}`, []string{"addresses"}},
		{"IPAddressPool", `{addresses: ["ten"]}`, []string{"addresses"}},
		{"IPAddressPool", `{addresses: []}`, []string{"addresses"}},
		{"L2Advertisement", `{ipAddressPool: [main]}`, []string{"ipAddressPool"}},
		{"L2Advertisement", `{preferredNodes: [{weight: 0, selector: {}}]}`, []string{"weight"}},
		{"BGPPeer", `{myASN: 64512, peerASN: 64513, peerAddress: "10.0.0.400"}`, []string{"peerAddress"}},
		{"BFDProfile", `{detectMultiplier: 0}`, []string{"detectMultiplier"}},
	} {
		c.refused(t, fmt.Sprintf(header, bad.kind, bad.spec), bad.words...)
	}
}

// What only other objects can show to be wrong is rejected in a condition, and
// everything else goes on working.
func testRejected(t *testing.T, c *cluster) {
	addr := c.serve(t, service{name: "steady"})
	c.answers(t, addr)
	probe := c.probe(t, []netip.Addr{addr}, 6*time.Second)

	c.apply(t, c.pool("overlapping", 140, 155, ""))
	c.accepted(t, "ipaddresspools", "overlapping", metav1.ConditionFalse, "main", c.vip(140).String())
	c.apply(t, `
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: dangling}
spec: {ipAddressPools: [nowhere]}
`)
	c.accepted(t, "l2advertisements", "dangling", metav1.ConditionFalse, "ipAddressPools", "nowhere")
	c.accepted(t, "ipaddresspools", "main", metav1.ConditionTrue)

	unharmed(t, "the Service that was there before", probe.wait(t), 0)
	c.answers(t, c.serve(t, service{name: "later"}))
}

// The sample of every kind is accepted, as its users would expect.
func testSamples(t *testing.T, c *cluster) {
	for _, sample := range []struct{ file, resource string }{
		{"bfdprofile", "bfdprofiles"},
		{"community", "communities"},
		{"bgppeer", "bgppeers"},
		{"ipaddresspool", "ipaddresspools"},
		{"l2advertisement", "l2advertisements"},
		{"bgpadvertisement", "bgpadvertisements"},
	} {
		manifest, err := os.ReadFile("../../manifests/samples/" + sample.file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		c.apply(t, string(manifest))
		names := strings.Fields(c.kubectl(t, "get", sample.resource, "-o", "jsonpath={.items[*].metadata.name}"))
		for _, name := range names {
			c.accepted(t, sample.resource, name, metav1.ConditionTrue)
		}
	}
}
