package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// The bounds of failover. They are loose: these tests run on machines that are
// busy with other things.
const (
	// maxOutage bounds the outage when the node that announces is lost.
	maxOutage = 3 * time.Second
	// maxOverlap bounds how long two answer when it returns.
	maxOverlap = time.Second
)

// Exactly one node answers for an address, whoever asks, and however.
func testOneAnswers(t *testing.T, c *cluster) {
	for i := range 3 {
		addrs := c.serveAll(t, service{name: fmt.Sprintf("one%d", i)})
		c.answers(t, addrs...)
		c.holders(t, addrs)
	}
}

// The end of a speaker alone costs no connection, however it ends.
func testEndSpeaker(t *testing.T, c *cluster) {
	for i, signal := range []string{"KILL", "TERM"} {
		holder := c.nodes[i]
		addrs := c.near(t, fmt.Sprintf("ended%d", i), holder)
		probe := c.probe(t, addrs, 8*time.Second)
		c.lab(t, "kill", holder, "speaker", "--signal", signal)
		unharmed(t, fmt.Sprintf("SIG%s to the speaker on %s", signal, holder), probe.wait(t), 2)
		c.rolledOut(t)
		c.settled(t, addrs)
	}
}

// A rolling update of the speakers costs no connection.
func testRestartSpeakers(t *testing.T, c *cluster) {
	addrs := c.serveAll(t, service{name: "rolled"})
	c.answers(t, addrs...)
	probe := c.probe(t, addrs, 40*time.Second)
	c.kubectl(t, "-n", namespace, "rollout", "restart", "daemonset/speaker")
	c.kubectl(t, "-n", namespace, "rollout", "status", "daemonset/speaker", "--timeout=2m")
	unharmed(t, "speakers restarted", probe.stop(t), 4)
	c.rolledOut(t)
	c.settled(t, addrs)
}

// When the node that announces is cut off, another answers. When it comes
// back, two answer for no longer than maxOverlap, and it takes nothing back.
func testCut(t *testing.T, c *cluster) {
	holder := c.nodes[0]
	addrs := c.near(t, "cut", holder)
	probe := c.probe(t, addrs, 6*time.Second)
	c.lab(t, "cut", holder)
	t.Cleanup(func() { c.healed(t, holder) })
	now := c.heldByOther(t, addrs, holder)
	outages(t, holder+" cut off", probe.wait(t), maxOutage)

	watch := c.watch(t, addrs, 10*time.Second)
	back := c.probe(t, addrs, 9*time.Second)
	c.lab(t, "heal", holder)
	unharmed(t, holder+" back", back.wait(t), 1)
	overlaps(t, holder+" back", watch.wait(t), maxOverlap)
	c.stays(t, addrs, now, time.Second)
}

// When the link that an address is announced on goes down, another node
// answers, although the node is alive and the link that its speaker is heard
// by is up. Once more nothing is taken back.
func testLinkDown(t *testing.T, c *cluster) {
	holder := c.nodes[1]
	addrs := c.nearOn(t, c.seconds, "linkdown", holder)
	probe := c.probe(t, addrs, 5*time.Second)
	c.lab(t, "exec", holder, "--", "ip", "link", "set", "eth1", "down")
	up := func(ctx context.Context) error {
		_, err := c.Output(ctx, "exec", holder, "--", "ip", "link", "set", "eth1", "up")
		return err
	}
	t.Cleanup(func() {
		if err := up(context.Background()); err != nil {
			t.Error(err)
		}
	})
	now := c.heldByOther(t, addrs, holder)
	outages(t, "link of "+holder+" down", probe.wait(t), maxOutage)

	watch := c.watch(t, addrs, 5*time.Second)
	back := c.probe(t, addrs, 4*time.Second)
	if err := up(t.Context()); err != nil {
		t.Fatal(err)
	}
	unharmed(t, "link of "+holder+" up", back.wait(t), 1)
	overlaps(t, "link of "+holder+" up", watch.wait(t), maxOverlap)
	c.stays(t, addrs, now, time.Second)
}

// healed connects a node again, with its kubelet, and waits until it is Ready.
func (c *cluster) healed(t *testing.T, node string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, args := range [][]string{{"heal", node}, {"start", node, "kubelet"}} {
		if _, err := c.Output(ctx, args[0], args[1:]...); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=60s", "node/"+node); err != nil {
		t.Error(err)
	}
}

// Without the API server everything that is announced stays announced, and
// failover goes on working.
func testNoAPI(t *testing.T, c *cluster) {
	holder := c.nodes[2]
	addrs := c.near(t, "noapi", holder)
	probe := c.probe(t, addrs, 60*time.Second)
	c.lab(t, "kill", "cp", "kube-apiserver", "--signal", "KILL")
	t.Cleanup(func() { c.apiBack(t) })
	unharmed(t, "API server away for a minute", probe.wait(t), 0)
	during := c.probe(t, addrs, 6*time.Second)
	c.lab(t, "cut", holder)
	t.Cleanup(func() { c.healed(t, holder) })
	c.heldByOther(t, addrs, holder)
	outages(t, holder+" cut off without the API server", during.wait(t), maxOutage)
	c.lab(t, "heal", holder)

	b := c.bookmark(t)
	c.apiBack(t)
	c.rolledOut(t)
	c.watching(t, b)
	afterwards := service{name: "afterwards", dual: len(c.segments) > 1}
	c.applyWithin(t, afterwards.manifest(), patience)
	// Kubernetes' own watches come back up to a minute after the API server.
	c.answersWithin(t, 4*patience, c.addresses(t, afterwards)...)
}

// apiBack starts the API server and waits until it is ready.
func (c *cluster) apiBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := c.Output(ctx, "start", "cp", "kube-apiserver"); err != nil {
		t.Error(err)
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		if _, err := c.kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err == nil {
			return
		}
		<-tick.C
	}
	t.Error("API server did not come back")
}

// watching waits until every pod of Herald's has begun to watch Services since
// b: after the API server was away they try again only now and then.
func (c *cluster) watching(t *testing.T, b bookmark) {
	t.Helper()
	took := eventually(t, 4*patience, "all of Herald watches again", func(context.Context) error {
		for _, component := range serviceAccounts {
			from := map[string]bool{}
			for _, w := range b.watches(t, component) {
				from[w] = true
			}
			nodes := map[string]bool{}
			for _, pod := range c.pods(t, component) {
				nodes[pod.Spec.NodeName] = true
			}
			if len(from) < len(nodes) {
				return errNot(fmt.Sprintf("%s on %d nodes", component, len(from)), len(nodes))
			}
		}
		return nil
	})
	t.Logf("all of Herald watches again after %v", took.Round(time.Millisecond))
}
