package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CacheOptions returns the settings of a cache that holds little: managed
// fields are dropped from everything, Secrets are those of the own namespace
// alone, and of the kinds that a cluster has many of only what a binary reads
// stays. An object from such a cache must never be written back whole.
func CacheOptions(o Options) cache.Options {
	return cache.Options{
		DefaultTransform: func(obj any) (any, error) {
			if o, ok := obj.(client.Object); ok {
				trimMeta(o)
			}
			return obj, nil
		},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Service{}:   {Transform: each(o.trimService)},
			&corev1.Node{}:      {Transform: each(trimNode)},
			&corev1.Namespace{}: {Transform: each(trimNamespace)},
			&corev1.Secret{}: {
				// The requests are those of one namespace, as the role allows.
				Field:     fields.OneTermEqualSelector("metadata.namespace", o.Namespace),
				Transform: each(trimSecret),
			},
		},
	}
}

// each makes a transform of a function that trims objects of one kind. What is
// of another kind, such as the tombstone of a deleted object, passes as it is.
func each[T client.Object](trim func(T)) func(any) (any, error) {
	return func(obj any) (any, error) {
		if o, ok := obj.(T); ok {
			trim(o)
		}
		return obj, nil
	}
}

// trimMeta drops the metadata that no binary reads.
func trimMeta(o client.Object) {
	o.SetManagedFields(nil)
	o.SetSelfLink("")
	if a := o.GetAnnotations(); a != nil {
		o.SetAnnotations(ours(a))
	}
}

// ours keeps the annotations of Herald and of the spellings that it accepts.
func ours(annotations map[string]string) map[string]string {
	var kept map[string]string
	for k, v := range annotations {
		domain, _, _ := strings.Cut(k, "/")
		switch domain {
		case "heraldlb.io", "metallb.io", "metallb.universe.tf":
			if kept == nil {
				kept = map[string]string{}
			}
			kept[k] = v
		}
	}
	return kept
}

// trimService keeps what decides about addresses. Of a Service of another type
// that is its type, and the conditions, by which one that was of type
// LoadBalancer is known. Then the binary has its own say.
func (o Options) trimService(s *corev1.Service) {
	trimMeta(s)
	spec := corev1.ServiceSpec{Type: s.Spec.Type}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		spec = s.Spec
		spec.ExternalIPs, spec.LoadBalancerSourceRanges, spec.SessionAffinityConfig = nil, nil, nil
		for i := range spec.Ports {
			p := &spec.Ports[i]
			*p = corev1.ServicePort{Protocol: p.Protocol, Port: p.Port}
		}
	} else {
		s.Labels, s.OwnerReferences = nil, nil
	}
	s.Spec = spec
	if o.TrimService != nil {
		o.TrimService(s)
	}
}

// trimSecret keeps the keys that Herald reads.
func trimSecret(s *corev1.Secret) {
	trimMeta(s)
	for k := range s.Data {
		if k != PasswordKey && k != MemberlistKey {
			delete(s.Data, k)
		}
	}
}

// trimNode keeps labels, taints, addresses and the conditions' states.
func trimNode(n *corev1.Node) {
	trimMeta(n)
	n.Spec = corev1.NodeSpec{Taints: n.Spec.Taints, Unschedulable: n.Spec.Unschedulable}
	conditions := make([]corev1.NodeCondition, 0, len(n.Status.Conditions))
	for _, c := range n.Status.Conditions {
		conditions = append(conditions, corev1.NodeCondition{Type: c.Type, Status: c.Status})
	}
	n.Status = corev1.NodeStatus{Conditions: conditions, Addresses: n.Status.Addresses}
}

// trimNamespace keeps name and labels.
func trimNamespace(n *corev1.Namespace) {
	trimMeta(n)
	n.Spec, n.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
}

// trimEndpointSlice keeps where endpoints are, and whether they serve.
func trimEndpointSlice(s *discoveryv1.EndpointSlice) {
	trimMeta(s)
	s.Ports, s.OwnerReferences = nil, nil
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		*e = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions, NodeName: e.NodeName}
	}
}
