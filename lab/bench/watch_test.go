package main

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// A tracker tells pending Services from assigned ones, and forgets those that
// are deleted.
func TestTracker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := &clients{kube: fake.NewClientset()}
	tr, err := track(ctx, c.kube, "bench")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.createServices(ctx, "bench", otherClass, 2); err != nil {
		t.Fatal(err)
	}
	write := func(i int, ips ...string) {
		t.Helper()
		services := c.kube.CoreV1().Services("bench")
		s, err := services.Get(ctx, serviceName(i), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.Status.LoadBalancer.Ingress = nil
		for _, ip := range ips {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
		}
		s.Status.Conditions = []metav1.Condition{{Type: "AddressAssigned"}}
		if _, err := services.UpdateStatus(ctx, s, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	write(0, "10.0.0.1")
	first, err := tr.assignedAt(ctx, serviceName(0))
	if err != nil || first.Before(began) {
		t.Errorf("first assigned at %v, %v", first, err)
	}
	write(1, "10.0.0.2")
	if last, err := tr.allAssigned(ctx, 2); err != nil || last.Before(first) {
		t.Errorf("all assigned at %v, %v", last, err)
	}
	write(0)
	write(1)
	if err := tr.allPending(ctx, 2); err != nil {
		t.Error(err)
	}
	if err := c.deleteServices(ctx, tr); err != nil {
		t.Error(err)
	}
	if got := tr.now(); got.services != 0 || got.assigned != 0 {
		t.Errorf("after deletion: %+v", got)
	}
}
