package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/probe"
)

// Under Cluster every node has the route, under Local those that have an
// endpoint; a node's goes when its last one goes, before clients notice.
func testFollowEndpoints(t *testing.T, c *cluster) {
	const path = "path 64512"
	c.peering(t, bothRouters("")...)
	c.advertise(t, "a", "ipAddressPools: [routed]")
	c.leaving(t)
	s := service{name: "local", local: true, annotations: wish(routed, 1)}
	manifest := func() string { return strings.ReplaceAll(s.manifest(), "app: echo", "app: leaving") }
	s.dual = true
	c.apply(t, manifest())
	both := []string{"node1", "node2"}
	c.everywhere(t, "nodes with an endpoint", paths(both, path, host(1)...))

	probes := c.through(t, 1, 30*time.Second)
	c.kubectl(t, "scale", "deployment/leaving-node2", "--replicas=0")
	c.everywhere(t, "the endpoint of node2 gone", paths(both[:1], path, host(1)...))
	c.kubectl(t, "scale", "deployment/leaving-node2", "--replicas=1")
	c.everywhere(t, "the endpoint of node2 back", paths(both, path, host(1)...))
	// A connection that is under way when the routers hash anew may be lost.
	unharmed(t, "an endpoint gone and back", probes.stop(t), 2)

	s.local = false
	c.apply(t, manifest())
	c.everywhere(t, "Cluster", paths(c.nodes, path, host(1)...))
	c.kubectl(t, "scale", "deployment/leaving-node1", "deployment/leaving-node2", "--replicas=0")
	c.everywhere(t, "no endpoint at all", nil)
}

// leaving makes pods on two nodes that go on serving for a while when they are
// told to end, as pods behind a load balancer should.
func (c *cluster) leaving(t *testing.T) {
	t.Helper()
	for _, node := range c.nodes[:2] {
		manifest := strings.NewReplacer("echo-"+node, "leaving-"+node, "app: echo", "app: leaving",
			"image: heraldlb.io/echo:dev", "image: heraldlb.io/echo:dev\n        args: [-drain, 4s]",
			"terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 8").Replace(echo(node))
		c.apply(t, manifest)
	}
	for _, node := range c.nodes[:2] {
		c.kubectl(t, "rollout", "status", "deployment/leaving-"+node, "--timeout=60s")
	}
}

// throughEvery is the time between two connections to one address through one
// router: there are four such probes at a time, on a machine that is busy.
const throughEvery = 40 * time.Millisecond

// through probes the addresses number n of the routed pool through each router,
// and returns when the baseline is over.
func (c *cluster) through(t *testing.T, n int, d time.Duration) running[probe.Report] {
	t.Helper()
	var all running[probe.Report]
	for _, name := range routers {
		for _, addr := range addrs(n) {
			eventually(t, patience, addr.String()+" answers through "+name, func(ctx context.Context) error {
				return c.ReachFrom(ctx, clientOf[name], addr)
			})
		}
	}
	for _, name := range routers {
		for _, addr := range addrs(n) {
			r, err := c.ProbeFrom(clientOf[name], addr, throughEvery, baseline+d)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Drop)
			all = append(all, r)
		}
	}
	<-time.After(baseline)
	return all
}

// Both modes serve one Service side by side, and neither is disturbed by the
// other.
func testBothModes(t *testing.T, c *cluster) {
	got := c.serveAll(t, service{name: "both"})
	c.answers(t, got...)
	before := c.settled(t, got)
	c.peering(t, bothRouters("")...)
	c.advertise(t, "a", "ipAddressPools: [main]")
	var want []string
	for _, a := range got {
		want = append(want, paths(c.nodes, "path 64512", alone(a))...)
	}
	c.everywhere(t, "the addresses of layer 2", sorted(want))
	c.stays(t, got, before, time.Second)
	probe := c.probe(t, got, 3*time.Second)
	c.kubectl(t, "delete", "bgppeer", frr1)
	c.exactly(t, frr1, "no peer", nil)
	c.exactly(t, bird1, "the other peer", sorted(want))
	unharmed(t, "a BGPPeer deleted", probe.wait(t), 0)
	c.stays(t, got, before, time.Second)
}

// A router of the same ASN gets the attributes that another AS never sees.
func testInternal(t *testing.T, c *cluster) {
	for _, name := range routers {
		c.lab(t, "router", name, "--asn", "64512", "--peer-asn", "64512")
		t.Cleanup(func() {
			if _, err := c.Output(context.Background(), "router", name); err != nil {
				t.Error(err)
			}
		})
	}
	peers := bothRouters("")
	for i := range peers {
		peers[i].asn = nodeASN
	}
	c.peering(t, peers...)
	c.routedService(t, service{name: "internal"}, 1)
	c.advertise(t, "a", "localPref: 200, med: 7")
	c.everywhere(t, "iBGP", paths(c.nodes, "path med 7 pref 200", host(1)...))
	for _, p := range c.through(t, 1, time.Second).wait(t) {
		if p.Failures > 0 {
			t.Errorf("iBGP: %s, want no failure", p.Text())
		}
	}
	c.kubectl(t, "patch", "bgpadvertisement", "a", "--type=merge", "-p", `{"spec":{"localPref":null}}`)
	c.everywhere(t, "iBGP without a preference", paths(c.nodes, "path med 7", host(1)...))
}

// moment returns a time before which all sessions have been up for so long that
// routers, which count whole seconds, tell them from those of later.
func moment() time.Time {
	<-time.After(2 * time.Second)
	return time.Now()
}

// undisturbed fails unless every session of a router was there before a moment,
// and is the same still.
func (c *cluster) undisturbed(t *testing.T, name, what string, since time.Time) {
	t.Helper()
	up, err := c.up(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(up) != len(c.nodes) {
		t.Errorf("%s: %d sessions of %s, want %d", what, len(up), name, len(c.nodes))
	}
	for _, s := range up {
		if age := time.Duration(s.UpSeconds * float64(time.Second)); age < time.Since(since) {
			t.Errorf("%s: session of %s with %s is up for %v, want longer than %v", what, name, s.Peer, age, time.Since(since))
		}
	}
}
