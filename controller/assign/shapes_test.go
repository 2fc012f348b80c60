package assign

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
)

// ipFamilies gives a Service its spec.ipFamilies and the policy; cluster
// addresses of the same families in the same order if it has some.
func ipFamilies(policy corev1.IPFamilyPolicy, clusterIPs bool, families ...corev1.IPFamily) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.IPFamilies, s.Spec.ClusterIP, s.Spec.ClusterIPs = families, "", nil
		if policy != "" {
			s.Spec.IPFamilyPolicy = &policy
		}
		if !clusterIPs {
			return
		}
		for _, f := range families {
			ip := "10.96.0.9"
			if f == corev1.IPv6Protocol {
				ip = "fd00:10:96::9"
			}
			s.Spec.ClusterIPs = append(s.Spec.ClusterIPs, ip)
		}
		s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
	}
}

// Every ipFamilyPolicy in every order of families, with cluster addresses and
// before there are any, from pools of both families, of one, and of none.
func TestFamilies(t *testing.T) {
	const (
		v4, v6          = corev1.IPv4Protocol, corev1.IPv6Protocol
		single          = corev1.IPFamilyPolicySingleStack
		prefer, require = corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack
	)
	tests := []struct {
		name     string
		policy   corev1.IPFamilyPolicy
		families []corev1.IPFamily
		// the statuses with pools of both families, of IPv4, and of IPv6
		both, four, six string
	}{
		{"single IPv4", single, []corev1.IPFamily{v4}, "192.0.2.0 True Assigned", "192.0.2.0 True Assigned", " False FamilyUnavailable"},
		{"single IPv6", single, []corev1.IPFamily{v6}, "2001:db8:: True Assigned", " False FamilyUnavailable", "2001:db8:: True Assigned"},
		{"no policy", "", []corev1.IPFamily{v4}, "192.0.2.0 True Assigned", "192.0.2.0 True Assigned", " False FamilyUnavailable"},
		{"prefer, one family", prefer, []corev1.IPFamily{v6}, "2001:db8:: True Assigned", " False FamilyUnavailable", "2001:db8:: True Assigned"},
		{"prefer, IPv4 first", prefer, []corev1.IPFamily{v4, v6}, "192.0.2.0, 2001:db8:: True Assigned", "192.0.2.0 True PartlyAssigned", "2001:db8:: True PartlyAssigned"},
		{"prefer, IPv6 first", prefer, []corev1.IPFamily{v6, v4}, "2001:db8::, 192.0.2.0 True Assigned", "192.0.2.0 True PartlyAssigned", "2001:db8:: True PartlyAssigned"},
		{"require, IPv4 first", require, []corev1.IPFamily{v4, v6}, "192.0.2.0, 2001:db8:: True Assigned", " False FamilyUnavailable", " False FamilyUnavailable"},
		{"require, IPv6 first", require, []corev1.IPFamily{v6, v4}, "2001:db8::, 192.0.2.0 True Assigned", " False FamilyUnavailable", " False FamilyUnavailable"},
	}
	for _, tt := range tests {
		for _, assigned := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				for _, row := range []struct {
					want  string
					pools []client.Object
				}{
					{tt.both, []client.Object{poolObject("four", "192.0.2.0/31"), poolObject("six", "2001:db8::/127")}},
					{tt.four, []client.Object{poolObject("four", "192.0.2.0/31")}},
					{tt.six, []client.Object{poolObject("six", "2001:db8::/127")}},
				} {
					c := newCluster(t, row.pools...)
					s := serviceNamed("a", ipFamilies(tt.policy, assigned, tt.families...))
					c.create(s)
					c.settle()
					c.want("a", row.want)
					c.update(s, func() { ipFamilies(tt.policy, true, tt.families...)(s) })
					c.settle()
					c.want("a", row.want)
					c.quiet()
				}
			})
		}
	}
}

// What does not concern addresses does not matter.
func TestShapes(t *testing.T) {
	no := false
	for name, edit := range map[string]func(*corev1.Service){
		"no node ports":            func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &no },
		"no selector":              func(s *corev1.Service) { s.Spec.Selector = nil },
		"nothing from the cluster": func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
			c.create(serviceNamed("a", edit))
			c.settle()
			c.want("a", heldA)
			c.quiet()
		})
	}
}

// Of several entries in a status the first of each family stays.
func TestSeveralEntries(t *testing.T) {
	s := serviceNamed("a", dual(corev1.IPFamilyPolicyPreferDualStack))
	s.Status.LoadBalancer.Ingress = ingress(addrs(t, "192.0.2.2", "2001:db8::1", "192.0.2.1", "2001:db8::"))
	c := newCluster(t, poolObject("gold", "192.0.2.0/30", "2001:db8::/126"), s)
	c.settle()
	c.want("a", "192.0.2.2, 2001:db8::1 True Assigned")
	c.quiet()
}

// A Service that is deleted keeps its address until its last finalizer is gone.
func TestFinalizers(t *testing.T) {
	s := serviceNamed("a")
	s.Finalizers = []string{"example.com/cleanup"}
	c := newCluster(t, poolObject("gold", "192.0.2.0/32"))
	c.create(s)
	c.settle()
	c.remove(serviceNamed("a"))
	c.create(serviceNamed("b"))
	c.settle()
	c.want("a", heldA)
	c.want("b", " False PoolExhausted")
	c.quiet()
	c.update(s, func() { s.Finalizers = nil })
	c.settle()
	c.want("a", "gone")
	c.want("b", heldA)
	c.quiet()
}

// From one family to both and back: the address that is there stays.
func TestUpgrade(t *testing.T) {
	const single, require = corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyRequireDualStack
	c := newCluster(t, poolObject("four", "192.0.2.0/30"), poolObject("six", "2001:db8::/126"))
	s := serviceNamed("a", ipFamilies(single, true, corev1.IPv6Protocol))
	c.create(s)
	c.settle()
	c.want("a", "2001:db8::1 True Assigned")
	c.update(s, func() { ipFamilies(require, true, corev1.IPv6Protocol, corev1.IPv4Protocol)(s) })
	c.settle()
	c.want("a", "2001:db8::1, 192.0.2.0 True Assigned")
	c.update(s, func() { ipFamilies(single, true, corev1.IPv6Protocol)(s) })
	c.settle()
	c.want("a", "2001:db8::1 True Assigned")
	c.quiet()
}

// A Service that prefers two families and has both does not lose one because
// the pool that it asks for has the other only.
func TestBothForBoth(t *testing.T) {
	both := dual(corev1.IPFamilyPolicyPreferDualStack)
	const whole, kept = "192.0.2.0, 2001:db8::1 True Assigned", "192.0.2.0, 2001:db8::1 False FamilyUnavailable"

	split := newCluster(t, poolObject("gold", "192.0.2.0/30", "2001:db8::/64"), poolObject("silver", "2001:db8::/64"))
	split.create(serviceNamed("a", both, asksPool("gold")))
	split.settle()
	split.want("a", whole)
	goldIs("192.0.2.0/30")(split)
	split.settle()
	split.want("a", kept)
	goldIs("192.0.2.0/30", "2001:db8:1::/64")(split)
	split.settle()
	split.want("a", "192.0.2.0, 2001:db8:1::1 True Assigned")
	split.quiet()

	moved := newCluster(t, poolObject("four", "192.0.2.0/30"), poolObject("six", "2001:db8::/64"), poolObject("tiny", "198.51.100.0/32"))
	s := serviceNamed("a", both)
	moved.create(s)
	moved.settle()
	moved.want("a", whole)
	for _, name := range []string{"four", "six", "tiny"} {
		moved.update(s, func() { asksPool(name)(s) })
		moved.settle()
		moved.want("a", kept)
	}
	moved.update(s, func() { s.Annotations = nil })
	moved.settle()
	moved.want("a", whole)
	moved.quiet()
}

// Pools of any size are counted exactly.
func TestLargeCounts(t *testing.T) {
	p := poolObject("gold", "10.0.0.0/8", "2001:db8::/64")
	p.Spec.Exclude = []string{"10.0.0.0/31", "2001:db8::"}
	c := newCluster(t, p)
	c.create(serviceNamed("a", dual(corev1.IPFamilyPolicyRequireDualStack)))
	c.settle()
	c.want("a", "10.0.0.2, 2001:db8::1 True Assigned")
	c.pass(countInterval)
	if err := c.api.Get(t.Context(), client.ObjectKey{Name: "gold"}, p); err != nil {
		t.Fatal(err)
	}
	want := [2]v1beta1.AddressCounts{
		{Total: "16777214", Assigned: "1", Available: "16777213"},
		{Total: "18446744073709551615", Assigned: "1", Available: "18446744073709551614"},
	}
	if p.Status.IPv4 == nil || p.Status.IPv6 == nil {
		t.Fatalf("status %+v, want both families", p.Status)
	}
	if d := cmp.Diff(want, [2]v1beta1.AddressCounts{*p.Status.IPv4, *p.Status.IPv6}); d != "" {
		t.Errorf("counts (-want +got)\n%s", d)
	}
}

// Sharing has nothing to do with namespaces, except for local pods.
func TestSharingAcrossNamespaces(t *testing.T) {
	in := func(namespace string, edits ...func(*corev1.Service)) *request {
		s := serviceNamed("a", append(edits, shares("k"))...)
		s.Namespace, s.Spec.Selector = namespace, map[string]string{"app": "a"}
		return newRequest(s)
	}
	local := func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }
	if x, y := in("x"), in("y"); !sameSharing(x.sharing, y.sharing) {
		t.Errorf("two namespaces: %v and %v, want the same", x.sharing, y.sharing)
	}
	if x, y := in("x", local), in("y", local); x.sharing.Backends == y.sharing.Backends {
		t.Errorf("local pods of two namespaces: %q both", x.sharing.Backends)
	}
}

// The page for users names every annotation that is read.
func TestSpellingsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/addresses.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Concat(addressesSpellings, poolSpellings, sharingSpellings) {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("annotation %s is not in docs/addresses.md", key)
		}
	}
	for _, event := range []string{eventAssigned, eventReassigned, eventReleased, eventFailed, eventContested} {
		if !strings.Contains(string(page), "`"+event+"`") {
			t.Errorf("event %s is not in docs/addresses.md", event)
		}
	}
	if text := fmt.Sprintf("%.0f seconds", Grace.Seconds()); !strings.Contains(string(page), text) {
		t.Errorf("docs/addresses.md does not say %q", text)
	}
}
