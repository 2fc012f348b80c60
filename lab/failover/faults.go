package main

import (
	"context"
	"errors"
	"time"

	"github.com/heraldlb/herald/lab/figures"
)

// excludeLabel keeps load balancers off a node (KEP-1143).
const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

// settling is how long something is watched in which another node is to take
// over at once.
const settling = 4 * time.Second

// faults returns every fault, in the order in which they happen.
func faults() []fault {
	none := figures.AtMost(0)
	return []fault{
		{
			name: "cut", title: "holder cut off, hard",
			strike: verb("cut"), mend: verb("heal"), after: settling, gap: figures.AtMost(500),
		}, {
			name: "return", title: "the node returns that was cut off",
			before: (*run).lose, strike: verb("heal"), after: 2 * settling,
			overlap: figures.AtMost(200), failed: none,
		}, {
			name: "link", title: "link of the holder down, node otherwise alive", second: true,
			strike: link("down"), mend: link("up"), after: settling, gap: figures.AtMost(300),
		}, {
			name: "kill", title: "speaker of the holder: SIGKILL",
			strike: send("KILL"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "term", title: "speaker of the holder: SIGTERM",
			strike: send("TERM"), mend: (*run).renew, after: settling, failed: none,
		}, {
			name: "rollout", title: "all speakers restarted, one after the other",
			strike: (*run).rollOut, after: settling, failed: none,
		}, {
			name: "drain", title: "holder drained",
			strike: kubectl("drain", "%s", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"),
			mend:   kubectl("uncordon", "%s"), after: settling, failed: none,
		}, {
			name: "exclude", title: "holder labelled to be excluded",
			strike: kubectl("label", "node", "%s", excludeLabel+"="),
			mend:   kubectl("label", "node", "%s", excludeLabel+"-"), after: settling, failed: none,
		},
	}
}

// verb returns a verb of the lab program on a node.
func verb(name string) func(*run, context.Context, string) error {
	return func(r *run, ctx context.Context, node string) error {
		_, err := r.Output(ctx, name, node)
		return err
	}
}

// link returns what sets the second link of a node up or down.
func link(to string) func(*run, context.Context, string) error {
	return func(r *run, ctx context.Context, node string) error {
		_, err := r.Output(ctx, "exec", node, "--", "ip", "link", "set", "eth1", to)
		return err
	}
}

// send returns what sends the speaker of a node a signal.
func send(name string) func(*run, context.Context, string) error {
	return func(r *run, ctx context.Context, node string) error {
		_, err := r.Output(ctx, "kill", node, "speaker", "--signal", name)
		return err
	}
}

// kubectl returns a call of kubectl, with the node for %s.
func kubectl(args ...string) func(*run, context.Context, string) error {
	return func(r *run, ctx context.Context, node string) error {
		var with []string
		for _, a := range args {
			if a == "%s" {
				a = node
			}
			with = append(with, a)
		}
		_, err := r.Kubectl(ctx, "", with...)
		return err
	}
}

// lose cuts a node off, and waits until it is replaced.
func (r *run) lose(ctx context.Context, node string) error {
	if _, err := r.Output(ctx, "cut", node); err != nil {
		return err
	}
	err := r.held(ctx, steady(r.segments), "another than "+node+" answers", func(host string) bool { return host != node })
	return errors.Join(err, pause(ctx, settling))
}

// renew replaces the speaker's pod of a node, whose next crash the kubelet
// would otherwise hold against it.
func (r *run) renew(ctx context.Context, node string) error {
	_, err := r.Kubectl(ctx, "", "-n", heraldNamespace, "delete", "pod", "--force", "--grace-period=0",
		"-l", "app.kubernetes.io/component=speaker", "--field-selector=spec.nodeName="+node)
	return err
}

// rollOut restarts every speaker, and waits until that is done.
func (r *run) rollOut(ctx context.Context, _ string) error {
	_, err := r.Kubectl(ctx, "", "-n", heraldNamespace, "rollout", "restart", "daemonset/speaker")
	if err != nil {
		return err
	}
	_, err = r.Kubectl(ctx, "", "-n", heraldNamespace, "rollout", "status", "daemonset/speaker", "--timeout=3m")
	return err
}
