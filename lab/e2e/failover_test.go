package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxOutage bounds the outage when the node that announces is cut off. It is
// loose: these tests run on machines that are busy with other things.
const maxOutage = 3 * time.Second

// Exactly one node answers for an address, whoever asks, and however.
func testOneAnswers(t *testing.T, c *cluster) {
	for i := range 4 {
		addr := c.serve(t, service{name: fmt.Sprintf("one%d", i)})
		c.answers(t, addr)
		c.holder(t, addr)
	}
}

// The death of a speaker alone costs no connection.
func testKillSpeaker(t *testing.T, c *cluster) {
	addr := c.serve(t, service{name: "killed"})
	c.answers(t, addr)
	holder := c.holder(t, addr)
	probe := c.probe(t, addr, 8*time.Second)
	c.lab(t, "kill", holder, "speaker", "--signal", "KILL")
	unharmed(t, fmt.Sprintf("speaker on %s killed", holder), probe.wait(t), 2)
	c.rolledOut(t)
	c.settled(t, addr)
}

// A rolling update of the speakers costs no connection.
func testRestartSpeakers(t *testing.T, c *cluster) {
	addr := c.serve(t, service{name: "rolled"})
	c.answers(t, addr)
	probe := c.probe(t, addr, 40*time.Second)
	c.kubectl(t, "-n", namespace, "rollout", "restart", "daemonset/speaker")
	c.kubectl(t, "-n", namespace, "rollout", "status", "daemonset/speaker", "--timeout=2m")
	unharmed(t, "speakers restarted", probe.stop(t), 4)
	c.rolledOut(t)
	c.settled(t, addr)
}

// A restart of the controller costs no connection and moves no address.
func testRestartController(t *testing.T, c *cluster) {
	svc := service{name: "kept"}
	addr := c.serve(t, svc)
	c.answers(t, addr)
	probe := c.probe(t, addr, 40*time.Second)
	c.kubectl(t, "-n", namespace, "rollout", "restart", "deployment/controller")
	c.kubectl(t, "-n", namespace, "rollout", "status", "deployment/controller", "--timeout=2m")
	c.serve(t, service{name: "new"}) // the new controller is at work
	unharmed(t, "controller restarted", probe.stop(t), 0)
	if got := c.address(t, svc); got != addr {
		t.Errorf("address moved from %s to %s", addr, got)
	}
	c.rolledOut(t)
}

// Without a controller, addresses go on working. After its return, Services
// that waited get theirs, and nobody's has changed.
func testNoController(t *testing.T, c *cluster) {
	svc := service{name: "before"}
	addr := c.serve(t, svc)
	c.answers(t, addr)
	c.kubectl(t, "-n", namespace, "scale", "deployment/controller", "--replicas=0")
	eventually(t, patience, "controller gone", func(context.Context) error {
		if pods := c.pods(t, "controller"); len(pods) > 0 {
			return errNot(len(pods), "no pod")
		}
		return nil
	})
	probe := c.probe(t, addr, 4*time.Second)
	waiting := service{name: "waiting"}
	c.apply(t, waiting.manifest())
	always(t, 2*time.Second, "no address without a controller", func(ctx context.Context) error {
		got, err := c.ingress(ctx, waiting)
		if err == nil && len(got) > 0 {
			err = errNot(got, "none")
		}
		return err
	})
	unharmed(t, "controller away", probe.wait(t), 0)
	c.kubectl(t, "-n", namespace, "scale", "deployment/controller", "--replicas=2")
	if got := c.address(t, waiting); got == addr {
		t.Errorf("the Service that waited got %s, which is another's", got)
	}
	if got := c.address(t, svc); got != addr {
		t.Errorf("address moved from %s to %s", addr, got)
	}
	c.rolledOut(t)
}

// When the node that announces is cut off, another answers. When it comes
// back, two answer for no longer than a second.
func testCut(t *testing.T, c *cluster) {
	addr, holder := c.servedElsewhere(t, "cut")
	probe := c.probe(t, addr, 15*time.Second)
	c.lab(t, "cut", holder)
	t.Cleanup(func() { c.healed(t, holder) })
	eventually(t, patience, "another node answers", func(ctx context.Context) error {
		return c.heldByOther(ctx, addr, holder)
	})
	report := probe.wait(t)
	t.Logf("node %s cut off: longest gap %v", holder, outage(report))
	if outage(report) > maxOutage {
		t.Errorf("outage too long: %s", report.Text())
	}

	watch := c.watchARP(t, addr, 12*time.Second)
	back := c.probe(t, addr, 12*time.Second)
	c.lab(t, "heal", holder)
	seen := watch.wait(t)
	t.Logf("node %s back: two answered for %v", holder, overlap(seen))
	if d := overlap(seen); d > time.Second {
		t.Errorf("two nodes answered for %v: %v", d, seen)
	}
	unharmed(t, fmt.Sprintf("node %s back", holder), back.wait(t), 1)
}

// servedElsewhere gives a Service an address that is announced by a node other
// than the one its only endpoint is on, so that a cut of the announcing node
// shows the announcement fail over, and nothing else.
func (c *cluster) servedElsewhere(t *testing.T, name string) (addr netip.Addr, holder string) {
	t.Helper()
	for i, on := range c.nodes {
		svc := service{name: fmt.Sprintf("%s%d", name, i), on: on}
		addr := c.serve(t, svc)
		c.answers(t, addr)
		if holder := c.holder(t, addr); holder != on {
			return addr, holder
		}
	}
	t.Fatal("each of three addresses is announced by the node of its only endpoint")
	return netip.Addr{}, ""
}

// healed connects a node again, with its kubelet, and waits until it is Ready.
func (c *cluster) healed(t *testing.T, node string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, args := range [][]string{{"heal", node}, {"start", node, "kubelet"}} {
		if _, err := c.output(ctx, args[0], args[1:]...); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.tryKubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=60s", "node/"+node); err != nil {
		t.Error(err)
	}
}

// Without the API server everything that is announced stays announced, and
// failover goes on working.
func testNoAPI(t *testing.T, c *cluster) {
	addr, holder := c.servedElsewhere(t, "noapi")
	probe := c.probe(t, addr, 60*time.Second)
	c.lab(t, "kill", "cp", "kube-apiserver", "--signal", "KILL")
	t.Cleanup(func() { c.apiBack(t) })
	unharmed(t, "API server away for a minute", probe.wait(t), 0)
	during := c.probe(t, addr, 10*time.Second)
	c.lab(t, "cut", holder)
	t.Cleanup(func() { c.healed(t, holder) })
	eventually(t, patience, "another node answers without the API server", func(ctx context.Context) error {
		return c.heldByOther(ctx, addr, holder)
	})
	report := during.wait(t)
	t.Logf("node %s cut off without the API server: longest gap %v", holder, outage(report))
	if outage(report) > maxOutage {
		t.Errorf("outage too long: %s", report.Text())
	}
	c.lab(t, "heal", holder)
	c.apiBack(t)
	c.rolledOut(t)
	// Kubernetes' own watches come back up to a minute after the API server.
	afterwards := c.serve(t, service{name: "afterwards"})
	c.answersWithin(t, afterwards, 4*patience)
}

// apiBack starts the API server and waits until it answers.
func (c *cluster) apiBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := c.output(ctx, "start", "cp", "kube-apiserver"); err != nil {
		t.Error(err)
	}
	for ctx.Err() == nil {
		if _, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); err == nil {
			return
		}
	}
	t.Error("API server did not come back")
}

// A node whose kubelet has died hands its addresses over without a loss, and
// an excluded one does, too.
func testUnwell(t *testing.T, c *cluster) {
	addr, holder := c.servedElsewhere(t, "unwell")
	probe := c.probe(t, addr, 3*time.Minute)
	for range 2 { // the second round repeats the events of the first
		c.kubectl(t, "label", "node", holder, excludeLabel+"=")
		eventually(t, patience, "an excluded node hands over", func(ctx context.Context) error {
			return c.heldByOther(ctx, addr, holder)
		})
		c.kubectl(t, "label", "node", holder, excludeLabel+"-")
		eventually(t, patience, "the node takes its address again", func(ctx context.Context) error {
			return c.heldBy(ctx, addr, holder)
		})
	}
	c.lab(t, "kill", holder, "kubelet", "--signal", "KILL")
	t.Cleanup(func() { c.healed(t, holder) })
	eventually(t, 3*patience, "a node that is not Ready hands over", func(ctx context.Context) error {
		return c.heldByOther(ctx, addr, holder)
	})
	unharmed(t, fmt.Sprintf("handovers of %s", holder), probe.stop(t), 6)
	c.lab(t, "start", holder, "kubelet")
	c.healed(t, holder)
	c.rolledOut(t)
}

// excludeLabel on a node keeps load balancers off it (KEP-1143).
const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
