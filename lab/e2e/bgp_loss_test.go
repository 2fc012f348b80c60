package e2e

import (
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/probe"
)

// bfdLoss bounds for how long connections may fail when a node is lost that BFD
// watches. It is loose: 50 ms times 3 is what is promised.
const bfdLoss = 2 * time.Second

// lossless makes the peers of the tests of loss, and a Service whose endpoint is
// on the last node: what happens to the others shows announcements, and nothing
// else.
func (c *cluster) lossless(t *testing.T) {
	t.Helper()
	c.apply(t, fastBFD)
	c.peering(t, bothRouters("gracefulRestart: true, bfdProfile: fast")...)
	for _, name := range routers {
		c.bfdUp(t, name, len(c.nodes))
	}
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "unlost", on: c.nodes[2]}, 1)
	c.everywhere(t, "before", paths(c.nodes, "path 64512", host(1)...))
}

// Whatever ends a speaker, and however a node is drained, no connection through
// routers is lost.
func testNoLoss(t *testing.T, c *cluster) {
	c.lossless(t)
	node := c.nodes[0]
	for _, event := range []struct {
		name string
		// moves is how often the routers hash anew. Only the first end of a pod's
		// container is followed by a new one at once, so each is another node's.
		moves int
		do    func()
	}{
		{"SIGTERM", 1, func() { c.lab(t, "kill", node, "speaker", "--signal", "TERM") }},
		{"SIGKILL", 2, func() { c.lab(t, "kill", c.nodes[1], "speaker", "--signal", "KILL") }},
		{"rollout", 4, func() {
			c.kubectl(t, "-n", namespace, "rollout", "restart", "daemonset/speaker")
			c.kubectl(t, "-n", namespace, "rollout", "status", "daemonset/speaker", "--timeout=2m")
		}},
		{"drain", 2, func() { c.drained(t, node) }},
	} {
		probes := c.through(t, 1, 2*time.Minute)
		event.do()
		c.rolledOut(t)
		c.everywhere(t, "after "+event.name, paths(c.nodes, "path 64512", host(1)...))
		for _, name := range routers {
			c.bfdUp(t, name, len(c.nodes))
		}
		unharmed(t, event.name, probes.stop(t), event.moves)
	}
	c.echoing(t)
}

// drained drains a node as its operator would who takes it out of load balancing
// first, and brings it back.
func (c *cluster) drained(t *testing.T, node string) {
	t.Helper()
	t.Cleanup(func() {
		c.cleanly(t, "uncordon", node)
		c.cleanly(t, "label", "node", node, excludeLabel+"-")
	})
	c.kubectl(t, "label", "node", node, excludeLabel+"=")
	c.kubectl(t, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
	c.everywhere(t, "the drained node has no route", paths(c.nodes[1:], "path 64512", host(1)...))
	c.kubectl(t, "uncordon", node)
	c.kubectl(t, "label", "node", node, excludeLabel+"-")
}

// When a node is cut off, BFD takes its routes away in a moment; when it is
// back, they are, and nothing is lost.
func testCutBGP(t *testing.T, c *cluster) {
	c.lossless(t)
	node := c.nodes[1]
	left := []string{c.nodes[0], c.nodes[2]}
	probes := c.through(t, 1, 5*time.Second)
	c.lab(t, "cut", node)
	t.Cleanup(func() { c.healed(t, node) })
	c.everywhere(t, node+" cut off", paths(left, "path 64512", host(1)...))
	lossy(t, node+" cut off", probes.wait(t), bfdLoss)

	back := c.through(t, 1, time.Minute)
	c.lab(t, "heal", node)
	c.everywhere(t, node+" back", paths(c.nodes, "path 64512", host(1)...))
	unharmed(t, node+" back", back.stop(t), 1)
}

// lossy fails when connections failed for longer than limit.
func lossy(t *testing.T, what string, reports []*probe.Report, limit time.Duration) {
	t.Helper()
	for _, r := range reports {
		t.Logf("%s: %s: connections failed for %v, %d of them, longest gap %v", what, r.URL, drive.Lossy(r), r.Failures, drive.Outage(r))
		if r.Good == 0 || drive.Lossy(r) > limit {
			t.Errorf("%s: connections failed for longer than %v: %s", what, limit, r.Text())
		}
	}
}

// No request of Herald's was refused for want of a right.
func testRefusals(t *testing.T, c *cluster) {
	requests := c.audit(t)
	for _, account := range serviceAccounts {
		if len(requests[username(account)]) == 0 {
			t.Errorf("%s: no request in the audit log", account)
		}
		c.refusals(t, account, requests[username(account)])
	}
}
