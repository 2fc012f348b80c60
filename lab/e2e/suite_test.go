package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestHerald runs every test on one lab, in this order. A test leaves the
// cluster as it found it: all nodes up, all of Herald running, no Service.
func TestHerald(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root")
	}
	c := start(t)
	setUp(t, c)
	tests := []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"reach a Service", testReach},
		{"see the client's address under Local", testLocal},
		{"one node answers", testOneAnswers},
		{"delete a Service", testDelete},
		{"change a Service to ClusterIP", testChangeType},
		{"pools by priority", testPriority},
		{"pools by selector", testSelectors},
		{"ask for an address", testExplicit},
		{"refuse bad objects", testRefused},
		{"reject what cannot stand beside the rest", testRejected},
		{"judge every kind", testSamples},
		{"kill a speaker", testKillSpeaker},
		{"restart the speakers", testRestartSpeakers},
		{"restart the controller", testRestartController},
		{"be without a controller", testNoController},
		{"leave an unwell node", testUnwell},
		{"cut a node off", testCut},
		{"be without the API server", testNoAPI},
		{"lose the controller that acts", testLoseLeader},
		{"kill the controller in a loop", testKillInLoop},
		{"create a pool again", testRecreatePool},
		{"write once for a Service", testWrites},
		{"write nothing when settled", testSettled},
		{"stay small", testMemory},
		{"start fast", testStart},
		{"live beside another cluster", testSecondCluster},
		{"use its rights, all and no more", testRights},
	}
	for _, tt := range tests {
		ok := t.Run(tt.name, func(t *testing.T) {
			tt.run(t, c)
		})
		if !ok {
			c.explain(t, tt.name)
		}
	}
}

// start brings the lab up with Herald installed and takes it down at the end.
func start(t *testing.T) *cluster {
	t.Helper()
	c, err := bringUp(t.Context(), *labName, "--nodes", "3", "--ip-family", "ipv4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if *labKeep {
			t.Logf("lab %s is left running; KUBECONFIG=/var/lib/lab/%s/kubeconfig", *labName, *labName)
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
	r, err := newRunner(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := r.show(ctx, "up", options...); err != nil {
		return nil, err
	}
	return r.connect(ctx)
}

// takeDown removes the lab.
func (r *runner) takeDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	return r.show(ctx, "down")
}

// setUp gives the cluster what every test needs: a pool, an advertisement and
// an echo pod on every node.
func setUp(t *testing.T, c *cluster) {
	t.Helper()
	c.rolledOut(t)
	c.apply(t, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: main}
spec: {addresses: ["%s-%s"]}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: everything}
spec: {}
`, c.vip(100), c.vip(149)))
	c.accepted(t, "ipaddresspools", "main", "True")
	c.accepted(t, "l2advertisements", "everything", "True")
	for _, node := range c.nodes {
		c.apply(t, echo(node))
	}
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
		{"get", "ipaddresspools,l2advertisements,speakerstatuses", "-o", "wide"},
		{"logs", "-n", namespace, "deployment/controller", "--tail=40"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/component=speaker", "--prefix", "--tail=40"},
	} {
		out, err := c.tryKubectl(ctx, "", args...)
		t.Logf("after %q: kubectl %s (%v)\n%s", test, strings.Join(args, " "), err, out)
	}
}
