package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/lab/drive"
)

// heraldNamespace is where Herald runs.
const heraldNamespace = "herald-system"

// The numbers of the addresses in each network: of the Service that faults are
// measured with, and of those that are given to new Services.
const (
	steadyNumber = 100
	freshNumber  = 110
	lastNumber   = 249
)

// apply applies a YAML stream.
func (r *run) apply(ctx context.Context, manifest string) error {
	_, err := r.Kubectl(ctx, manifest, "apply", "-f", "-")
	return err
}

// endpointNode is the node that the only endpoint is on. Faults happen to the
// others, and so show what becomes of announcements, and nothing else.
func (r *run) endpointNode() string { return r.nodes[len(r.nodes)-1] }

// steady returns the addresses of the Service that faults are measured with.
func steady(networks []netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for _, p := range networks {
		out = append(out, drive.At(p, steadyNumber))
	}
	return out
}

// wish writes addresses as the annotation that asks for them.
func wish(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, ",")
}

// endpoint is the pod behind all Services, on one node.
const endpoint = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %s}
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: echo
        image: heraldlb.io/echo:dev
        imagePullPolicy: IfNotPresent
        env: [{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
`

// measured is a Service that faults are measured with.
const measured = `
---
apiVersion: v1
kind: Service
metadata: {name: %s, annotations: {heraldlb.io/addresses: %q}}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
`

// setUp makes what every measurement needs, and waits until it works.
func (r *run) setUp(ctx context.Context) error {
	var ranges []string
	for _, p := range slices.Concat(r.segments, r.seconds) {
		ranges = append(ranges, fmt.Sprintf("%q", drive.At(p, steadyNumber).String()+"-"+drive.At(p, lastNumber).String()))
	}
	manifest := fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: measured}
spec: {addresses: [%s], autoAssign: false}
`, strings.Join(ranges, ", ")) + fmt.Sprintf(endpoint, r.endpointNode()) +
		fmt.Sprintf(measured, "first", wish(steady(r.segments))) + fmt.Sprintf(measured, "second", wish(steady(r.seconds)))
	if err := r.apply(ctx, manifest); err != nil {
		return err
	}
	if err := r.prefer(ctx, r.nodes[0], r.nodes...); err != nil {
		return err
	}
	if err := r.whole(ctx); err != nil {
		return err
	}
	return r.reached(ctx, steady(slices.Concat(r.segments, r.seconds)))
}

// removeMeasured deletes the Services that faults are measured with.
func (r *run) removeMeasured(ctx context.Context) error {
	_, err := r.Kubectl(ctx, "", "delete", "service", "first", "second")
	return err
}

// prefer lets some nodes announce everything, and one of them rather than the
// others.
func (r *run) prefer(ctx context.Context, node string, of ...string) error {
	return r.apply(ctx, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: measured}
spec:
  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]
  preferredNodes: [{weight: 100, selector: {matchLabels: {kubernetes.io/hostname: %s}}}]
`, strings.Join(of, ", "), node))
}

// impartial lets every node announce everything, and prefers none.
func (r *run) impartial(ctx context.Context) error {
	return r.apply(ctx, `{apiVersion: heraldlb.io/v1beta1, kind: L2Advertisement, metadata: {name: measured}, spec: {}}`)
}

// reached waits until each address answers.
func (r *run) reached(ctx context.Context, addrs []netip.Addr) error {
	for _, a := range addrs {
		err := until(ctx, a.String()+" answers", func(ctx context.Context) error { return r.Reach(ctx, a) })
		if err != nil {
			return err
		}
	}
	return nil
}

// whole waits until every node is Ready and all of Herald and the endpoint are.
func (r *run) whole(ctx context.Context) error {
	return until(ctx, "all nodes and all of Herald ready", func(ctx context.Context) error {
		nodes, err := r.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range nodes.Items {
			if n := &nodes.Items[i]; !nodeReady(n) {
				return fmt.Errorf("node %s: not ready", n.Name)
			}
		}
		speakers, err := r.kube.AppsV1().DaemonSets(heraldNamespace).Get(ctx, "speaker", metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := speakers.Status
		if s.ObservedGeneration != speakers.Generation || int(s.NumberReady) != len(nodes.Items) || s.UpdatedNumberScheduled != s.NumberReady {
			return errors.New("speakers: not ready")
		}
		controller, err := r.kube.AppsV1().Deployments(heraldNamespace).Get(ctx, "controller", metav1.GetOptions{})
		if err != nil {
			return err
		}
		echo, err := r.kube.AppsV1().Deployments("default").Get(ctx, "echo", metav1.GetOptions{})
		if err == nil && (!deploymentReady(controller) || !deploymentReady(echo)) {
			err = errors.New("controller or endpoint: not ready")
		}
		return err
	})
}

// nodeReady reports whether a node is.
func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// deploymentReady reports whether all that a Deployment wants is ready.
func deploymentReady(d *appsv1.Deployment) bool {
	return d.Status.ObservedGeneration == d.Generation && d.Status.ReadyReplicas == *d.Spec.Replicas && d.Status.Replicas == *d.Spec.Replicas
}
