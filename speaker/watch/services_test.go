package watch

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/speaker/desired"
)

// addrs parses addresses.
func addrs(t *testing.T, text ...string) []netip.Addr {
	t.Helper()
	var out []netip.Addr
	for _, s := range text {
		a, err := netip.ParseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// lb returns a Service default/NAME of type LoadBalancer with addresses in its
// status and a resource version.
func lb(name, version string, ips ...string) corev1.Service {
	s := corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, ResourceVersion: version}}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	for _, ip := range ips {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
	}
	return s
}

// slice returns an EndpointSlice of the Service default/SERVICE.
func slice(service, name, version string, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, ResourceVersion: version,
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   endpoints,
	}
}

// on returns an endpoint on a node with the given conditions.
func on(node string, ready, serving, terminating *bool) discoveryv1.Endpoint {
	ep := discoveryv1.Endpoint{
		Addresses:  []string{"10.244.0.1"},
		Conditions: discoveryv1.EndpointConditions{Ready: ready, Serving: serving, Terminating: terminating},
	}
	if node != "" {
		ep.NodeName = &node
	}
	return ep
}

var yes, no = new(true), new(false)

func TestCatalogue(t *testing.T) {
	local := lb("local", "1", "192.0.2.1")
	local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	local.Labels = map[string]string{"app": "web"}
	dual := lb("dual", "2", "192.0.2.2", "2001:db8::2", "192.0.2.2", "::ffff:192.0.2.2", "", "fe80::1%eth0", "bad")
	pending := lb("pending", "3")
	named := lb("named", "4")
	named.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example"}}
	foreign := lb("foreign", "5", "192.0.2.5")
	foreign.Spec.LoadBalancerClass = new("example.com/other")
	own := lb("own", "6", "192.0.2.6")
	own.Spec.LoadBalancerClass = new(v1beta1.ClassHerald)
	cluster := lb("cluster", "7", "192.0.2.7")
	cluster.Spec.Type = corev1.ServiceTypeClusterIP

	endpoints := []discoveryv1.EndpointSlice{
		slice("local", "local-1", "8", on("b", yes, nil, nil), on("c", no, no, yes)),
		slice("local", "local-2", "9", on("", no, yes, yes), on("d", nil, nil, nil)),
		slice("cluster", "cluster-1", "10", on("b", yes, nil, nil)),
		slice("", "orphan", "11", on("b", yes, nil, nil)),
	}
	want := []*desired.Service{
		{Key: "default/dual", Addresses: addrs(t, "192.0.2.2", "2001:db8::2"), Serving: map[string]bool{}},
		{
			Key: "default/local", Labels: map[string]string{"app": "web"}, Addresses: addrs(t, "192.0.2.1"),
			Local: true, Serving: map[string]bool{"b": true, "": true, "d": true},
		},
		{Key: "default/own", Addresses: addrs(t, "192.0.2.6"), Serving: map[string]bool{}},
	}

	c := newCatalogue(func(class *string) bool { return handles(v1beta1.ClassHerald, class) })
	update(c, []corev1.Service{local, dual, pending, named, foreign, own, cluster}, endpoints)
	if diff := cmp.Diff(want, c.services, compareAddrs, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

// update makes a whole update.
func update(c *catalogue, services []corev1.Service, endpoints []discoveryv1.EndpointSlice) {
	b := backendsOf(endpoints...)
	c.finish(c.begin(services), b.served)
}

// backendsOf returns what EndpointSlices say.
func backendsOf(endpoints ...discoveryv1.EndpointSlice) *backends {
	own := types.NamespacedName{Namespace: "herald-system", Name: kube.SpeakerService}
	b := newBackends(own, netip.MustParseAddr("10.0.0.1"), func(types.NamespacedName) {})
	for i := range endpoints {
		b.put(client.ObjectKeyFromObject(&endpoints[i]), b.read(&endpoints[i]))
	}
	return b
}

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// What did not change stays behind the same pointer, and what changed, in the
// Service or in any of its slices, does not.
func TestCatalogueKeepsWhatIsTheSame(t *testing.T) {
	a, b := lb("a", "1", "192.0.2.1"), lb("b", "2", "192.0.2.2")
	a1, a2, b1 := slice("a", "a-1", "3"), slice("a", "a-2", "4", on("y", yes, nil, nil)), slice("b", "b-1", "5")
	a2changed := slice("a", "a-2", "6", on("x", yes, nil, nil))
	a2same := slice("a", "a-2", "9", on("y", no, yes, yes), on("y", yes, nil, nil))
	a2new := slice("a", "a-9", "7", on("x", yes, nil, nil))
	aChanged := lb("a", "8", "192.0.2.9")

	tests := []struct {
		name      string
		services  []corev1.Service
		endpoints []discoveryv1.EndpointSlice
		same      map[string]bool // whether the pointer is that of the first update
	}{
		{
			"nothing", []corev1.Service{b, a}, []discoveryv1.EndpointSlice{b1, a2, a1},
			map[string]bool{"default/a": true, "default/b": true},
		},
		{
			"a slice, in what does not matter", []corev1.Service{a, b}, []discoveryv1.EndpointSlice{a1, a2same, b1},
			map[string]bool{"default/a": true, "default/b": true},
		},
		{
			"a slice", []corev1.Service{a, b}, []discoveryv1.EndpointSlice{a1, a2changed, b1},
			map[string]bool{"default/a": false, "default/b": true},
		},
		{
			"a slice is gone", []corev1.Service{a, b}, []discoveryv1.EndpointSlice{a1, b1},
			map[string]bool{"default/a": false, "default/b": true},
		},
		{
			"a slice is replaced", []corev1.Service{a, b}, []discoveryv1.EndpointSlice{a1, a2new, b1},
			map[string]bool{"default/a": false, "default/b": true},
		},
		{
			"a Service", []corev1.Service{aChanged, b}, []discoveryv1.EndpointSlice{a1, a2, b1},
			map[string]bool{"default/a": false, "default/b": true},
		},
		{
			"a Service is gone", []corev1.Service{b}, []discoveryv1.EndpointSlice{a1, a2, b1},
			map[string]bool{"default/b": true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCatalogue(func(*string) bool { return true })
			update(c, []corev1.Service{a, b}, []discoveryv1.EndpointSlice{a1, a2, b1})
			before := map[string]*desired.Service{}
			list := c.services
			for _, s := range list {
				before[s.Key] = s
			}

			update(c, tt.services, tt.endpoints)
			same := map[string]bool{}
			for _, s := range c.services {
				same[s.Key] = s == before[s.Key]
			}
			if diff := cmp.Diff(tt.same, same); diff != "" {
				t.Errorf("pointers kept (-want +got):\n%s", diff)
			}
			if list[0] != before["default/a"] || list[1] != before["default/b"] {
				t.Error("the list of the first update was written")
			}
		})
	}
}

func TestHandles(t *testing.T) {
	tests := []struct {
		name  string
		class string
		of    *string
		want  bool
	}{
		{"unset", "x", nil, true},
		{"the same", "x", new("x"), true},
		{"another", "x", new("y"), false},
		{"set to nothing", "x", new(""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := handles(tt.class, tt.of); got != tt.want {
				t.Errorf("handles = %t, want %t", got, tt.want)
			}
		})
	}
}

// What the speaker reads of a Service stays, and nothing else.
func TestTrimService(t *testing.T) {
	s := lb("web", "7", "192.0.2.1")
	s.UID, s.Labels, s.Generation, s.Finalizers = "u", map[string]string{"a": "b"}, 3, []string{"f"}
	s.Spec.LoadBalancerClass, s.Spec.ExternalTrafficPolicy = new("c"), corev1.ServiceExternalTrafficPolicyLocal
	want := s.DeepCopy()
	want.Generation, want.Finalizers = 0, nil
	s.Annotations = map[string]string{"heraldlb.io/addresses": "192.0.2.1"}
	s.Spec.Selector, s.Spec.Ports, s.Spec.ClusterIP = map[string]string{"a": "b"}, []corev1.ServicePort{{Port: 80}}, "10.96.0.1"
	s.Status.LoadBalancer.Ingress[0].IPMode = new(corev1.LoadBalancerIPModeVIP)
	s.Status.Conditions = []metav1.Condition{{Type: "x"}}
	TrimService(&s)
	if diff := cmp.Diff(want, &s); diff != "" {
		t.Errorf("cached (-want +got):\n%s", diff)
	}
}
