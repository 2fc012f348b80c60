package kube_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// Every kind that the binaries use has the resource that the API server has.
func TestMapper(t *testing.T) {
	m, s := kube.Mapper(), kube.Scheme()
	for _, tt := range []struct {
		obj      client.Object
		resource string
		scope    meta.RESTScopeName
	}{
		{&corev1.Service{}, "services", meta.RESTScopeNameNamespace},
		{&corev1.Secret{}, "secrets", meta.RESTScopeNameNamespace},
		{&corev1.Node{}, "nodes", meta.RESTScopeNameRoot},
		{&corev1.Namespace{}, "namespaces", meta.RESTScopeNameRoot},
		{&discoveryv1.EndpointSlice{}, "endpointslices", meta.RESTScopeNameNamespace},
		{&v1beta1.IPAddressPool{}, "ipaddresspools", meta.RESTScopeNameRoot},
		{&v1beta1.L2Advertisement{}, "l2advertisements", meta.RESTScopeNameRoot},
		{&v1beta1.BGPAdvertisement{}, "bgpadvertisements", meta.RESTScopeNameRoot},
		{&v1beta1.BGPPeer{}, "bgppeers", meta.RESTScopeNameRoot},
		{&v1beta1.BFDProfile{}, "bfdprofiles", meta.RESTScopeNameRoot},
		{&v1beta1.Community{}, "communities", meta.RESTScopeNameRoot},
		{&v1beta1.SpeakerStatus{}, "speakerstatuses", meta.RESTScopeNameRoot},
	} {
		gvks, _, err := s.ObjectKinds(tt.obj)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.RESTMapping(gvks[0].GroupKind(), gvks[0].Version)
		if err != nil {
			t.Errorf("%T: %v", tt.obj, err)
			continue
		}
		want := schema.GroupVersionResource{Group: gvks[0].Group, Version: gvks[0].Version, Resource: tt.resource}
		if got.Resource != want || got.Scope.Name() != tt.scope {
			t.Errorf("%T: %v %v, want %v %v", tt.obj, got.Resource, got.Scope.Name(), want, tt.scope)
		}
	}
}

// transformed runs an object through the cache's transform of its kind.
func transformed(t *testing.T, obj client.Object) any {
	t.Helper()
	o := kube.CacheOptions(kube.Options{Namespace: "herald-system"})
	transform := o.DefaultTransform
	for kind, by := range o.ByObject {
		if gvkOf(t, kind) == gvkOf(t, obj) && by.Transform != nil {
			transform = by.Transform
		}
	}
	out, err := transform(obj)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func gvkOf(t *testing.T, obj client.Object) schema.GroupVersionKind {
	t.Helper()
	gvks, _, err := kube.Scheme().ObjectKinds(obj)
	if err != nil {
		t.Fatal(err)
	}
	return gvks[0]
}

// What decides stays in the cache, and what is big goes.
func TestCacheOptions(t *testing.T) {
	policy, class := corev1.IPFamilyPolicyPreferDualStack, "c"
	full := metav1.ObjectMeta{
		Namespace: "ns", Name: "x", UID: "u", ResourceVersion: "7", Generation: 3,
		Labels:        map[string]string{"l": "1"},
		Annotations:   map[string]string{"heraldlb.io/addresses": "192.0.2.1", "metallb.io/address-pool": "p", "example.com/big": "..."},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
	}
	trimmed := full
	trimmed.ManagedFields = nil
	trimmed.Annotations = map[string]string{"heraldlb.io/addresses": "192.0.2.1", "metallb.io/address-pool": "p"}
	bare := trimmed
	bare.Labels = nil
	status := corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "example.com/Theirs"}}}
	tests := []struct {
		name      string
		obj, want client.Object
	}{
		{
			name: "service of type LoadBalancer",
			obj: &corev1.Service{ObjectMeta: *full.DeepCopy(), Status: status, Spec: corev1.ServiceSpec{
				Type: "LoadBalancer", IPFamilyPolicy: &policy, LoadBalancerClass: &class, LoadBalancerSourceRanges: []string{"x"},
				Ports: []corev1.ServicePort{{Name: "web", Port: 80, NodePort: 30000, Protocol: "TCP"}}, Selector: map[string]string{"a": "b"},
			}},
			want: &corev1.Service{ObjectMeta: trimmed, Status: status, Spec: corev1.ServiceSpec{
				Type: "LoadBalancer", IPFamilyPolicy: &policy, LoadBalancerClass: &class,
				Ports: []corev1.ServicePort{{Port: 80, Protocol: "TCP"}}, Selector: map[string]string{"a": "b"},
			}},
		},
		{
			name: "service of another type",
			obj:  &corev1.Service{ObjectMeta: *full.DeepCopy(), Status: status, Spec: corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "10.0.0.1"}},
			want: &corev1.Service{ObjectMeta: bare, Status: status, Spec: corev1.ServiceSpec{Type: "ClusterIP"}},
		},
		{
			name: "node",
			obj: &corev1.Node{ObjectMeta: *full.DeepCopy(), Spec: corev1.NodeSpec{PodCIDR: "x", Taints: []corev1.Taint{{Key: "k"}}}, Status: corev1.NodeStatus{
				Images:     []corev1.ContainerImage{{Names: []string{"i"}}},
				Conditions: []corev1.NodeCondition{{Type: "NetworkUnavailable", Status: "True", Message: "m"}},
				Addresses:  []corev1.NodeAddress{{Address: "192.0.2.2"}},
			}},
			want: &corev1.Node{ObjectMeta: trimmed, Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "k"}}}, Status: corev1.NodeStatus{
				Conditions: []corev1.NodeCondition{{Type: "NetworkUnavailable", Status: "True"}},
				Addresses:  []corev1.NodeAddress{{Address: "192.0.2.2"}},
			}},
		},
		{
			name: "namespace",
			obj:  &corev1.Namespace{ObjectMeta: *full.DeepCopy(), Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"f"}}},
			want: &corev1.Namespace{ObjectMeta: trimmed},
		},
		{
			name: "secret",
			obj:  &corev1.Secret{ObjectMeta: *full.DeepCopy(), Data: map[string][]byte{"password": []byte("p"), "ca.crt": []byte("big")}},
			want: &corev1.Secret{ObjectMeta: trimmed, Data: map[string][]byte{"password": []byte("p")}},
		},
		{
			name: "pool",
			obj:  &v1beta1.IPAddressPool{ObjectMeta: *full.DeepCopy(), Spec: v1beta1.IPAddressPoolSpec{Addresses: []string{"192.0.2.0/24"}}},
			want: &v1beta1.IPAddressPool{ObjectMeta: trimmed, Spec: v1beta1.IPAddressPoolSpec{Addresses: []string{"192.0.2.0/24"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(any(tt.want), transformed(t, tt.obj)); diff != "" {
				t.Errorf("cached (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	meta := func(ns, name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	secret := func(ns, name, key string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: meta(ns, name), Data: map[string][]byte{key: []byte("value")}}
	}
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).WithObjects(
		&v1beta1.IPAddressPool{ObjectMeta: meta("", "pool")},
		&v1beta1.L2Advertisement{ObjectMeta: meta("", "l2")},
		&v1beta1.BGPAdvertisement{ObjectMeta: meta("", "bgp")},
		&v1beta1.BGPPeer{ObjectMeta: meta("", "peer")},
		&v1beta1.BFDProfile{ObjectMeta: meta("", "bfd")},
		&v1beta1.Community{ObjectMeta: meta("", "community")},
		secret("herald-system", "right", "password"), secret("herald-system", "no-password", "token"), secret("default", "elsewhere", "password"),
	).Build()
	got, err := kube.Collect(t.Context(), c, "herald-system")
	if err != nil {
		t.Fatal(err)
	}
	counts := []int{len(got.Pools), len(got.L2Advertisements), len(got.BGPAdvertisements), len(got.Peers), len(got.BFDProfiles), len(got.Communities)}
	if diff := cmp.Diff([]int{1, 1, 1, 1, 1, 1}, counts); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"right": "value"}, got.Passwords); diff != "" {
		t.Errorf("passwords (-want +got):\n%s", diff)
	}
}
