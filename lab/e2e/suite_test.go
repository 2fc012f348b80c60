package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/drive"
)

// A test is one thing that Herald does for its users. It leaves the cluster as
// it found it: all nodes up, all of Herald running, no Service.
type test struct {
	name string
	run  func(*testing.T, *cluster)
}

// TestHerald runs every test on one lab of both families, in this order.
func TestHerald(t *testing.T) {
	run(t, layer2Lab(*labName, "dual"), []test{
		{"reach a Service", testReach},
		{"see the client's address under Local", testLocal},
		{"one node answers", testOneAnswers},
		{"spread fresh addresses", testSpread},
		{"delete a Service", testDelete},
		{"change a Service to ClusterIP", testChangeType},
		{"pools by priority", testPriority},
		{"pools by selector", testSelectors},
		{"ask for an address", testExplicit},
		{"refuse bad objects", testRefused},
		{"reject what cannot stand beside the rest", testRejected},
		{"judge every kind", testSamples},
		{"find an address taken", testTaken},
		{"defend an address", testClaimed},
		{"end a speaker", testEndSpeaker},
		{"restart the speakers", testRestartSpeakers},
		{"restart the controller", testRestartController},
		{"be without a controller", testNoController},
		{"exclude a node", testExclude},
		{"drain a node", testDrain},
		{"return to a preferred node", testFailback},
		{"leave an unwell node", testUnready},
		{"cut a node off", testCut},
		{"take a link down", testLinkDown},
		{"write nothing when settled", testSettled}, // also after much has moved
		{"be without the API server", testNoAPI},
		{"lose the controller that acts", testLoseLeader},
		{"kill the controller in a loop", testKillInLoop},
		{"create a pool again", testRecreatePool},
		{"write once for a Service", testWrites},
		{"stay small", testMemory},
		{"start fast", testStart},
		{"live beside another cluster", testSecondCluster},
		{"use its rights, all and no more", testRights},
	})
}

// TestIPv6 runs the core of layer 2 where there is nothing but IPv6.
func TestIPv6(t *testing.T) {
	run(t, layer2Lab(*labName+"6", "ipv6"), []test{
		{"reach a Service", testReach},
		{"one node answers", testOneAnswers},
		{"end a speaker", testEndSpeaker},
		{"restart the speakers", testRestartSpeakers},
		{"cut a node off", testCut},
		{"take a link down", testLinkDown},
	})
}

// A lab says what tests run on.
type lab struct {
	name    string
	options []string
	setUp   func(*testing.T, *cluster)
}

// layer2Lab returns the lab of the tests of layer 2.
func layer2Lab(name, family string) lab {
	return lab{name, []string{"--nodes", "3", "--clients", "2", "--second-network", "--ip-family", family}, setUp}
}

// run runs tests on a lab of its own.
func run(t *testing.T, l lab, tests []test) {
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root")
	}
	c := start(t, l)
	l.setUp(t, c)
	for _, tt := range tests {
		ok := t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			tt.run(t, c)
			t.Logf("took %v", time.Since(began).Round(time.Second))
		})
		if !ok {
			c.explain(t, tt.name)
		}
	}
}

// start brings the lab up with Herald installed and takes it down at the end.
func start(t *testing.T, l lab) *cluster {
	t.Helper()
	c, err := bringUp(t.Context(), l.name, l.options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if *labKeep {
			t.Logf("lab %s is left running; KUBECONFIG=/var/lib/lab/%s/kubeconfig", l.name, l.name)
			return
		}
		if err := c.takeDown(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// bringUp starts a lab and connects to it.
func bringUp(ctx context.Context, name string, options ...string) (*cluster, error) {
	l, err := drive.New("../..", name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := l.Show(ctx, "up", options...); err != nil {
		return nil, err
	}
	return connect(ctx, l)
}

// takeDown removes the lab.
func (c *cluster) takeDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	return c.Show(ctx, "down")
}

// setUp gives the cluster what every test needs: pools, advertisements, and an
// echo pod on every node.
func setUp(t *testing.T, c *cluster) {
	t.Helper()
	c.rolledOut(t)
	c.apply(t, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: main}
spec: {addresses: [%s]}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: everything}
spec: {}
%s`, ranges(c.segments, 100, 149), c.nearPools()))
	c.accepted(t, "ipaddresspools", "main", "True")
	c.accepted(t, "l2advertisements", "everything", "True")
	c.echoPods(t)
}

// echoPods makes an echo pod on every node and waits until all are ready.
func (c *cluster) echoPods(t *testing.T) {
	t.Helper()
	for _, node := range c.nodes {
		c.apply(t, echo(node))
	}
	c.echoing(t)
}

// echoing waits until the echo pod of every node is ready.
func (c *cluster) echoing(t *testing.T) {
	t.Helper()
	eventually(t, 2*patience, "echo pods", func(ctx context.Context) error {
		for _, node := range c.nodes {
			d, err := c.kube.AppsV1().Deployments("default").Get(ctx, "echo-"+node, get)
			if err != nil {
				return err
			}
			if !deploymentReady(d) {
				return errNot(d.Name+" "+fmt.Sprint(d.Status.ReadyReplicas), "ready")
			}
		}
		return nil
	})
}

// echo returns the Deployment of the echo pod on node.
func echo(node string) string {
	return strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo-NODE}
spec:
  selector: {matchLabels: {app: echo, node: NODE}}
  template:
    metadata: {labels: {app: echo, node: NODE}}
    spec:
      nodeSelector: {kubernetes.io/hostname: NODE}
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: echo
        image: heraldlb.io/echo:dev
        imagePullPolicy: IfNotPresent
        env: [{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
`, "NODE", node)
}

// explain prints what Herald says of itself after a test has failed.
func (c *cluster) explain(t *testing.T, test string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "services", "-A"},
		{"get", "herald", "-o", "wide"},
		{"logs", "-n", namespace, "deployment/controller", "--tail=40"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/component=speaker", "--prefix", "--tail=40"},
	} {
		out, err := c.Kubectl(ctx, "", args...)
		t.Logf("after %q: kubectl %s (%v)\n%s", test, strings.Join(args, " "), err, out)
	}
}
