package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/heraldlb/herald/lab/figures"
)

// noticing is how long a node that was cut off is watched for: longer than the
// hold time by which it is found out without BFD.
const noticing = 6 * time.Second

// routedFaults returns every fault of BGP, in the order in which they happen.
func routedFaults() []routedFault {
	none := figures.AtMost(0)
	return []routedFault{
		{
			name: "bgp-cut50", title: "node cut off, hard; BFD 50 ms x 3", fields: watchedFast,
			strike: verb("cut"), mend: verb("heal"), after: settling, gap: figures.AtMost(250),
		}, {
			name: "bgp-cut300", title: "node cut off, hard; BFD 300 ms x 3", fields: "bfdProfile: slow",
			strike: verb("cut"), mend: verb("heal"), after: settling,
		}, {
			name: "bgp-cuthold", title: "node cut off, hard; hold time 3 s alone", fields: "holdTime: 3s",
			strike: verb("cut"), mend: verb("heal"), after: noticing,
		}, {
			name: "bgp-term", title: "speaker of a node: SIGTERM", fields: restarted,
			strike: send("TERM"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "bgp-kill", title: "speaker of a node: SIGKILL", fields: restarted,
			strike: send("KILL"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "bgp-rollout", title: "all speakers restarted, one after the other", fields: restarted,
			strike: (*run).rollOut, after: settling, failed: none,
		}, {
			name: "bgp-term-alone", title: "speaker of a node: SIGTERM; no BFD", fields: unwatched,
			strike: send("TERM"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "bgp-kill-alone", title: "speaker of a node: SIGKILL; no BFD", fields: unwatched,
			strike: send("KILL"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "bgp-rollout-alone", title: "all speakers restarted, one after the other; no BFD", fields: unwatched,
			strike: (*run).rollOut, after: settling, failed: none,
		}, {
			name: "bgp-drain", title: "node excluded, then drained", fields: restarted,
			strike: (*run).exclude, mend: (*run).include, after: settling, failed: none,
		},
	}
}

// exclude takes a node out of load balancing, and drains it when that is over. It
// labels the node without kubectl: a program that starts slows the clients on a
// small machine down just when the routes go.
func (r *run) exclude(ctx context.Context, node string) error {
	patch := fmt.Sprintf(`{"metadata": {"labels": {%q: ""}}}`, excludeLabel)
	_, err := r.kube.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err := errors.Join(err, pause(ctx, baseline)); err != nil {
		return err
	}
	return kubectl("drain", "%s", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")(r, ctx, node)
}

// include undoes exclude.
func (r *run) include(ctx context.Context, node string) error {
	if err := kubectl("uncordon", "%s")(r, ctx, node); err != nil {
		return err
	}
	return kubectl("label", "node", "%s", excludeLabel+"-")(r, ctx, node)
}
