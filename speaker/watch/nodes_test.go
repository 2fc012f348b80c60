package watch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/speaker/desired"
)

// node returns a Node that is Ready, after changes.
func node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, c := range change {
		c(n)
	}
	return n
}

func readiness(s corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Conditions[0].Status = s }
}

func excluded(n *corev1.Node) {
	n.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
}

func outOfService(n *corev1.Node) {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute})
}

func network(s corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = append(n.Status.Conditions,
			corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable, Status: s})
	}
}

func TestHostOf(t *testing.T) {
	cordoned := func(n *corev1.Node) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	}
	tests := []struct {
		name     string
		node     *corev1.Node
		want     desired.Reason
		notReady bool
	}{
		{"fine", node("a", network(corev1.ConditionFalse)), 0, false},
		{"no conditions yet", &corev1.Node{}, 0, false},
		{"cordoned", node("a", cordoned), 0, false},
		{"excluded", node("a", excluded), desired.NodeExcluded, false},
		{"out of service", node("a", outOfService), desired.NodeOutOfService, false},
		{"network unavailable", node("a", network(corev1.ConditionTrue)), desired.NetworkUnavailable, false},
		{"network unknown", node("a", network(corev1.ConditionUnknown)), 0, false},
		{"several: the first check counts", node("a", network(corev1.ConditionTrue), outOfService, excluded), desired.NodeExcluded, false},
		{"not ready", node("a", readiness(corev1.ConditionFalse)), 0, true},
		{"not heard of", node("a", readiness(corev1.ConditionUnknown)), 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := hostOf(tt.node)
			if got.Unavailable != tt.want || got.notReady != tt.notReady {
				t.Errorf("unavailable %v, not ready %t; want %v, %t", got.Unavailable, got.notReady, tt.want, tt.notReady)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	ready := func(name string) host { return hostOf(node(name)) }
	unready := func(name string) host { return hostOf(node(name, readiness(corev1.ConditionUnknown))) }
	gone := func(name string) host { return hostOf(node(name, excluded)) }
	everyone := map[string]bool{"a": true, "b": true, "c": true, "d": true}

	tests := []struct {
		name  string
		hosts []host
		alive map[string]bool
		want  map[string]desired.Reason // of those that are unavailable
	}{
		{"all ready", []host{ready("a"), ready("b")}, everyone, map[string]desired.Reason{}},
		{
			"one of three is not", []host{ready("a"), unready("b"), ready("c")}, everyone,
			map[string]desired.Reason{"b": desired.NodeNotReady},
		},
		{
			"one of two is not", []host{ready("a"), unready("b")}, everyone,
			map[string]desired.Reason{"b": desired.NodeNotReady},
		},
		{"the only one is not", []host{unready("a")}, everyone, map[string]desired.Reason{}},
		{
			"none is: the control plane is ill", []host{unready("a"), unready("b"), unready("c")}, everyone,
			map[string]desired.Reason{},
		},
		{"most are not", []host{ready("a"), unready("b"), unready("c")}, everyone, map[string]desired.Reason{}},
		{
			"excluded nodes do not vote", []host{gone("a"), unready("b"), unready("c")}, everyone,
			map[string]desired.Reason{"a": desired.NodeExcluded},
		},
		{
			"nor do those without a speaker", []host{ready("a"), ready("x"), unready("b")},
			map[string]bool{"b": true}, map[string]desired.Reason{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]desired.Reason{}
			for _, n := range judge(tt.hosts, tt.alive) {
				if n.Unavailable != 0 {
					got[n.Name] = n.Unavailable
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("unavailable (-want +got):\n%s", diff)
			}
		})
	}
}
