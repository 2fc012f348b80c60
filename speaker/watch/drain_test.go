package watch

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRemains(t *testing.T) {
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	deleted := func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	tests := []struct {
		name string
		node *corev1.Node
		want bool
	}{
		{"fine", node("a"), true},
		{"no conditions yet", &corev1.Node{}, true},
		{"cordoned", node("a", cordoned), false},
		{"being deleted", node("a", deleted), false},
		{"excluded", node("a", excluded), false},
		{"out of service", node("a", outOfService), false},
		{"without a network", node("a", network(corev1.ConditionTrue)), false},
		{"being shut down", node("a", readiness(corev1.ConditionFalse)), false},
		{"not heard of", node("a", readiness(corev1.ConditionUnknown)), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := remains(tt.node); got != tt.want {
				t.Errorf("remains: %t, want %t", got, tt.want)
			}
		})
	}
}

// Routers are left once, beside layer 2, within its bound, and no set follows.
func TestDrainLeavesRouters(t *testing.T) {
	tests := []struct {
		name    string
		started bool
		gone    bool // the Node
		cordon  bool
		takes   time.Duration
		keep    bool
		lasts   time.Duration
	}{
		{name: "in a rolling update", started: true, keep: true},
		{name: "in a drain", started: true, cordon: true, takes: time.Second, lasts: time.Second},
		{name: "a Node that is gone", started: true, gone: true},
		{name: "a router that does not answer", started: true, cordon: true, takes: time.Minute, lasts: drainTimeout},
		{name: "nothing was read yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, routed()...)
				if tt.started {
					b.reconcile(t)
				}
				n := node("a")
				n.Spec.Unschedulable = tt.cordon
				if err := b.api.Update(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				if tt.gone {
					if err := b.api.Delete(t.Context(), n); err != nil {
						t.Fatal(err)
					}
				}
				b.bgp.leaving = tt.takes
				began, sets := time.Now(), b.bgp.sets
				err := b.Drain(t.Context())
				if took := time.Since(began); took != tt.lasts || (err != nil) != (tt.takes > drainTimeout) {
					t.Errorf("drained in %v with %v, want %v", took, err, tt.lasts)
				}
				if len(b.bgp.left) != 1 || b.bgp.left[0] != tt.keep {
					t.Errorf("left with keep %v, want %t once", b.bgp.left, tt.keep)
				}
				b.reconcile(t)
				if b.bgp.sets != sets {
					t.Error("routes were set after Drain")
				}
			})
		})
	}
}
