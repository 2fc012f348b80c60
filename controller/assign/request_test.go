package assign

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/ipam"
)

// serviceNamed returns a handled IPv4 Service with one port, changed by edits.
func serviceNamed(name string, edits ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.96.0.9", ClusterIPs: []string{"10.96.0.9"},
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// annotated sets annotations, given as key, value.
func annotated(kv ...string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		for i := 0; i < len(kv); i += 2 {
			s.Annotations[kv[i]] = kv[i+1]
		}
	}
}

// dual makes a Service dual-stack under a policy.
func dual(p corev1.IPFamilyPolicy) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.ClusterIPs = []string{"10.96.0.9", "fd00:10:96::9"}
		s.Spec.IPFamilyPolicy = &p
	}
}

// wish is the part of a request that tests look at.
type wish struct {
	Families  []ipam.Family
	Whole     bool
	Addresses []netip.Addr
	Pool      string
	Sharing   ipam.Sharing
	Reason    Reason
}

func addrs(t testing.TB, list ...string) []netip.Addr {
	t.Helper()
	var out []netip.Addr
	for _, s := range list {
		a, err := netip.ParseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

var compareAddrs = cmp.Comparer(func(x, y netip.Addr) bool { return x == y })

func TestNewRequest(t *testing.T) {
	v4, both := []ipam.Family{ipam.IPv4}, []ipam.Family{ipam.IPv4, ipam.IPv6}
	plain := func(edit func(*wish)) wish {
		w := wish{Families: v4, Whole: true}
		edit(&w)
		return w
	}
	tests := []struct {
		name    string
		edits   []func(*corev1.Service)
		want    wish
		message string // a part of it
	}{
		{name: "nothing asked for", want: plain(func(*wish) {})},
		{name: "blank annotations", edits: []func(*corev1.Service){annotated("heraldlb.io/addresses", " ", "heraldlb.io/address-pool", "")}, want: plain(func(*wish) {})},
		{
			name:  "pool",
			edits: []func(*corev1.Service){annotated("metallb.universe.tf/address-pool", " gold ")},
			want:  plain(func(w *wish) { w.Pool = "gold" }),
		},
		{
			name:  "pool in spellings that agree",
			edits: []func(*corev1.Service){annotated("heraldlb.io/address-pool", "gold", "metallb.io/address-pool", "gold")},
			want:  plain(func(w *wish) { w.Pool = "gold" }),
		},
		{
			name:    "pool in spellings that disagree",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/address-pool", "gold", "metallb.io/address-pool", "iron")},
			want:    plain(func(w *wish) { w.Pool, w.Reason = "gold", InvalidAnnotation }),
			message: `annotations heraldlb.io/address-pool "gold" and metallb.io/address-pool "iron" disagree`,
		},
		{
			name:  "address",
			edits: []func(*corev1.Service){annotated("metallb.io/loadBalancerIPs", "192.0.2.7")},
			want:  plain(func(w *wish) { w.Addresses = addrs(t, "192.0.2.7") }),
		},
		{
			name: "addresses in another order agree",
			edits: []func(*corev1.Service){dual(corev1.IPFamilyPolicyRequireDualStack), annotated(
				"heraldlb.io/addresses", "2001:db8::7, 192.0.2.7", "metallb.io/loadBalancerIPs", "192.0.2.7,2001:db8::7")},
			want: wish{Families: both, Whole: true, Addresses: addrs(t, "192.0.2.7", "2001:db8::7")},
		},
		{
			name:    "addresses that disagree",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "192.0.2.7", "metallb.io/loadBalancerIPs", "192.0.2.8")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: "disagree",
		},
		{
			name:    "not an address",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "192.0.2.256")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: `annotation heraldlb.io/addresses: "192.0.2.256": not an IP address`,
		},
		{
			name:    "IPv4 in IPv6",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "::ffff:192.0.2.1")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: "write the IPv4 address as 192.0.2.1",
		},
		{
			name:    "zone",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "fe80::1%eth0")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: "zone",
		},
		{
			name:    "two of one family",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "192.0.2.1,192.0.2.2")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: "at most one address of each family",
		},
		{
			name:    "of a family that the Service has not",
			edits:   []func(*corev1.Service){annotated("heraldlb.io/addresses", "2001:db8::1")},
			want:    plain(func(w *wish) { w.Reason = InvalidAnnotation }),
			message: "2001:db8::1 is not of the Service's families (IPv4)",
		},
		{
			name: "one address where two are required",
			edits: []func(*corev1.Service){dual(corev1.IPFamilyPolicyRequireDualStack),
				func(s *corev1.Service) { s.Spec.LoadBalancerIP = "192.0.2.1" }},
			want:    wish{Families: both, Whole: true, Reason: InvalidLoadBalancerIP},
			message: "RequireDualStack needs one of each family",
		},
		{
			name: "one address where two are preferred",
			edits: []func(*corev1.Service){dual(corev1.IPFamilyPolicyPreferDualStack),
				func(s *corev1.Service) { s.Spec.LoadBalancerIP = "2001:db8::1" }},
			want: wish{Families: []ipam.Family{ipam.IPv6}, Addresses: addrs(t, "2001:db8::1")},
		},
		{
			name:    "spec.loadBalancerIP is bogus",
			edits:   []func(*corev1.Service){func(s *corev1.Service) { s.Spec.LoadBalancerIP = "lb.example.com" }},
			want:    plain(func(w *wish) { w.Reason = InvalidLoadBalancerIP }),
			message: `spec.loadBalancerIP: "lb.example.com": not an IP address`,
		},
		{
			name: "spec.loadBalancerIP against the annotation",
			edits: []func(*corev1.Service){annotated("heraldlb.io/addresses", "192.0.2.1"),
				func(s *corev1.Service) { s.Spec.LoadBalancerIP = "192.0.2.2" }},
			want:    plain(func(w *wish) { w.Reason = InvalidLoadBalancerIP }),
			message: "leave one out",
		},
		{
			name: "prefer dual stack on a cluster with one family",
			edits: []func(*corev1.Service){dual(corev1.IPFamilyPolicyPreferDualStack), func(s *corev1.Service) {
				s.Spec.ClusterIPs, s.Spec.IPFamilies = []string{"10.96.0.9"}, []corev1.IPFamily{"IPv4", "IPv6"}
			}},
			want: wish{Families: v4},
		},
		{
			name: "shared, all pods",
			edits: []func(*corev1.Service){annotated("heraldlb.io/allow-shared-ip", "k"), func(s *corev1.Service) {
				s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP})
			}},
			want: plain(func(w *wish) {
				w.Sharing = ipam.Sharing{Key: "k", Ports: []ipam.Port{{Protocol: "TCP", Number: 80}, {Protocol: "UDP", Number: 53}}}
			}),
		},
		{
			name: "shared, local pods",
			edits: []func(*corev1.Service){annotated("metallb.io/allow-shared-ip", "k"), func(s *corev1.Service) {
				s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
				s.Spec.Selector = map[string]string{"b": "2", "a": "1"}
			}},
			want: plain(func(w *wish) {
				w.Sharing = ipam.Sharing{Key: "k", Ports: []ipam.Port{{Protocol: "TCP", Number: 80}}, Backends: "default/a=1,b=2"}
			}),
		},
		{
			name: "shared, local endpoints without a selector",
			edits: []func(*corev1.Service){annotated("metallb.io/allow-shared-ip", "k"), func(s *corev1.Service) {
				s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			}},
			want: plain(func(w *wish) {
				w.Sharing = ipam.Sharing{Key: "k", Ports: []ipam.Port{{Protocol: "TCP", Number: 80}}, Backends: "default/a"}
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(serviceNamed("a", tt.edits...))
			got := wish{Families: r.families, Whole: r.whole, Addresses: r.addresses, Pool: r.pool, Sharing: r.sharing}
			message := ""
			if r.invalid != nil {
				got.Reason, message = r.invalid.reason, r.invalid.message
			}
			if diff := cmp.Diff(tt.want, got, compareAddrs); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if !strings.Contains(message, tt.message) || (tt.message == "") != (message == "") {
				t.Errorf("message = %q, want one with %q", message, tt.message)
			}
		})
	}
}

func TestHandled(t *testing.T) {
	class := func(c string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.LoadBalancerClass = &c }
	}
	tests := []struct {
		name string
		edit func(*corev1.Service)
		want bool
	}{
		{"no class", func(*corev1.Service) {}, true},
		{"our class", class("c"), true},
		{"another class", class("other"), false},
		{"empty class", class(""), false},
		{"ClusterIP", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }, false},
		{"NodePort", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }, false},
		{"ExternalName", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }, false},
		{"headless", func(s *corev1.Service) { s.Spec.ClusterIP = "None" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := handled(serviceNamed("a", tt.edit), "c"); got != tt.want {
				t.Errorf("handled = %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever stands in an annotation, the request is either invalid, with a
// message short enough for a condition, or asks for addresses that fit it.
func FuzzNewRequest(f *testing.F) {
	f.Add("192.0.2.1", "gold", "key", "192.0.2.1", true)
	f.Add("2001:db8::1,192.0.2.1", "", "", "", true)
	f.Add(",", "\x00", "\xff", "%", false)
	f.Fuzz(func(t *testing.T, addresses, pool, key, ip string, dualStack bool) {
		s := serviceNamed("a", annotated("metallb.io/loadBalancerIPs", addresses, "heraldlb.io/address-pool", pool,
			"metallb.universe.tf/allow-shared-ip", key))
		if dualStack {
			dual(corev1.IPFamilyPolicyRequireDualStack)(s)
		}
		s.Spec.LoadBalancerIP = ip
		r := newRequest(s)
		if len(r.families) == 0 {
			t.Fatal("no families")
		}
		if r.invalid != nil {
			if n := len(r.invalid.message); n == 0 || n > 1024 {
				t.Errorf("message has %d bytes", n)
			}
			return
		}
		for _, a := range r.addresses {
			if !a.IsValid() || a.Zone() != "" || a.Is4In6() || !slices.Contains(r.usable, ipam.FamilyOf(a)) {
				t.Errorf("address %v of families %v", a, r.usable)
			}
		}
	})
}
