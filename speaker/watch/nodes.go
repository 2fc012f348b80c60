package watch

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/heraldlb/herald/speaker/desired"
)

// A host is a Node as far as the speaker looks at it.
type host struct {
	desired.Node
	// notReady is true when the node's condition Ready is there and not True.
	notReady bool
}

// hostOf translates a Node. The object is only read; its labels are shared.
func hostOf(n *corev1.Node) host {
	return host{
		Node:     desired.Node{Name: n.Name, Labels: n.Labels, Unavailable: unavailable(n)},
		notReady: condition(n, corev1.NodeReady, corev1.ConditionTrue) != corev1.ConditionTrue,
	}
}

// unavailable says what keeps a node from announcing, as far as the node alone
// tells; zero when nothing does. A cordon does not.
func unavailable(n *corev1.Node) desired.Reason {
	if _, excluded := n.Labels[corev1.LabelNodeExcludeBalancers]; excluded {
		return desired.NodeExcluded
	}
	for i := range n.Spec.Taints {
		if n.Spec.Taints[i].Key == corev1.TaintNodeOutOfService {
			return desired.NodeOutOfService
		}
	}
	if condition(n, corev1.NodeNetworkUnavailable, corev1.ConditionFalse) == corev1.ConditionTrue {
		return desired.NetworkUnavailable
	}
	return 0
}

// condition returns the status of a node's condition, and absent when the
// node does not have it.
func condition(n *corev1.Node, t corev1.NodeConditionType, absent corev1.ConditionStatus) corev1.ConditionStatus {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == t {
			return n.Status.Conditions[i].Status
		}
	}
	return absent
}

// judge returns the nodes for an Input, those that are not Ready marked as
// such where that counts.
//
// A node whose kubelet is dead or unwell should not attract traffic. A node is
// not Ready, too, when it merely cannot reach the API server; its speaker does
// not learn of it then, keeps what it holds, and is left with it.
//
// And when most nodes are not Ready, it is the control plane that is ill. So
// it counts only while at least half of the nodes that could announce (nothing
// else against them, their speaker alive) are Ready.
func judge(hosts []host, alive map[string]bool) []desired.Node {
	able, ready := 0, 0
	for i := range hosts {
		if hosts[i].Unavailable != 0 || !alive[hosts[i].Name] {
			continue
		}
		able++
		if !hosts[i].notReady {
			ready++
		}
	}
	counts := 2*ready >= able
	out := make([]desired.Node, 0, len(hosts))
	for i := range hosts {
		n := hosts[i].Node
		if n.Unavailable == 0 && hosts[i].notReady && counts {
			n.Unavailable = desired.NodeNotReady
		}
		out = append(out, n)
	}
	return out
}
