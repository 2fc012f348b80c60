package assign

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// A poolEdit is something that an operator does to pools while Services hold
// addresses, and what becomes of them: at once, and a long time after.
type poolEdit struct {
	name string
	do   func(*cluster)
	// once and later have the status of Service a, which asks for nothing, of
	// b, which asks for the pool gold, and of c, which asks for its address.
	once, later [3]string
	// told are the events besides those of the start; nil when not looked at.
	told []string
}

// The statuses before the edit.
const (
	heldA = "192.0.2.0 True Assigned"
	heldB = "192.0.2.1 True Assigned"
	heldC = "192.0.2.7 True Assigned"
)

var held = [3]string{heldA, heldB, heldC}

// gold edits the pool that the Services have their addresses from.
func gold(edit func(*v1beta1.IPAddressPoolSpec)) func(*cluster) {
	return func(c *cluster) {
		p := poolObject("gold")
		c.update(p, func() { edit(&p.Spec) })
	}
}

// goldIs gives the pool other ranges.
func goldIs(addresses ...string) func(*cluster) {
	return gold(func(s *v1beta1.IPAddressPoolSpec) { s.Addresses = addresses })
}

// TestPoolEdits is the table of docs/addresses.md: what becomes of addresses
// in use when pools are edited.
func TestPoolEdits(t *testing.T) {
	tests := []poolEdit{
		{name: "grow", do: goldIs("192.0.2.0/28"), once: held, later: held},
		{name: "more ranges", do: goldIs("192.0.2.0/29", "2001:db8::/64"), once: held, later: held},
		{
			name: "shrink", do: goldIs("192.0.2.2-192.0.2.7"), once: held,
			later: [3]string{"192.0.2.2 True Assigned", "192.0.2.3 True Assigned", heldC},
			told: []string{
				`a AddressReassigned: 192.0.2.0 replaced by 192.0.2.2: no accepted pool has 192.0.2.0 any longer; now 192.0.2.2 from pool "gold"`,
				`b AddressReassigned: 192.0.2.1 replaced by 192.0.2.3: no accepted pool has 192.0.2.1 any longer; now 192.0.2.3 from pool "gold"`,
			},
		},
		{
			name: "exclude", do: gold(func(s *v1beta1.IPAddressPoolSpec) { s.Exclude = []string{"192.0.2.1"} }), once: held,
			later: [3]string{heldA, "192.0.2.2 True Assigned", heldC},
			told:  []string{`b AddressReassigned: 192.0.2.1 replaced by 192.0.2.2: no accepted pool has 192.0.2.1 any longer; now 192.0.2.2 from pool "gold"`},
		},
		{
			name: "avoid .0 and .255", do: gold(func(s *v1beta1.IPAddressPoolSpec) { s.AvoidBuggyIPs = true }), once: held,
			later: [3]string{"192.0.2.2 True Assigned", heldB, heldC},
			told:  []string{`a AddressReassigned: 192.0.2.0 replaced by 192.0.2.2: no accepted pool has 192.0.2.0 any longer; now 192.0.2.2 from pool "gold"`},
		},
		{name: "only for others", do: gold(func(s *v1beta1.IPAddressPoolSpec) {
			s.ServiceAllocation = &v1beta1.ServiceAllocation{Namespaces: []string{"other"}}
		}), once: held, later: held},
		{name: "only who asks", do: gold(func(s *v1beta1.IPAddressPoolSpec) { s.AutoAssign = new(bool) }), once: held, later: held},
		{name: "last in order", do: func(c *cluster) {
			p := poolObject("iron")
			c.update(p, func() { p.Spec.ServiceAllocation = &v1beta1.ServiceAllocation{Priority: 1} })
		}, once: held, later: held},
		{
			name: "split, the new pool first",
			do: func(c *cluster) {
				c.create(poolObject("silver", "192.0.2.0/30")) // overlaps for now
				c.settle()
				goldIs("192.0.2.4/30")(c)
			},
			once:  [3]string{heldA, "192.0.2.4 True Assigned", heldC},
			later: [3]string{heldA, "192.0.2.4 True Assigned", heldC},
		},
		{
			name: "split",
			do: func(c *cluster) {
				goldIs("192.0.2.4/30")(c)
				c.create(poolObject("silver", "192.0.2.0/30"))
			},
			once:  [3]string{heldA, "192.0.2.4 True Assigned", heldC},
			later: [3]string{heldA, "192.0.2.4 True Assigned", heldC},
			told:  []string{`b AddressReassigned: 192.0.2.1 replaced by 192.0.2.4: the Service asks for pool "gold"; now 192.0.2.4 from pool "gold"`},
		},
		{
			name: "rename",
			do: func(c *cluster) {
				c.remove(poolObject("gold"))
				c.settle()
				c.create(poolObject("aurum", "192.0.2.0/29"))
			},
			once:  [3]string{heldA, "192.0.2.1 False UnknownPool", heldC},
			later: [3]string{heldA, "192.0.2.1 False UnknownPool", heldC},
			told:  []string{`b AssignmentFailed: there is no IPAddressPool "gold"; the Service keeps 192.0.2.1`},
		},
		{
			name: "rename, the new pool first",
			do: func(c *cluster) {
				c.create(poolObject("zinc", "192.0.2.0/29")) // overlaps for now
				c.settle()
				c.remove(poolObject("gold"))
			},
			once:  [3]string{heldA, "192.0.2.1 False UnknownPool", heldC},
			later: [3]string{heldA, "192.0.2.1 False UnknownPool", heldC},
		},
		{
			name: "delete", do: func(c *cluster) { c.remove(poolObject("gold")) },
			once:  held,
			later: [3]string{"198.51.100.0 True Assigned", " False UnknownPool", " False AddressNotInPool"},
			told: []string{
				`a AddressReassigned: 192.0.2.0 replaced by 198.51.100.0: no accepted pool has 192.0.2.0 any longer; now 198.51.100.0 from pool "iron"`,
				`b AddressReleased: 192.0.2.1 released: no accepted pool has 192.0.2.1 any longer; there is no IPAddressPool "gold"`,
				`c AddressReleased: 192.0.2.7 released: no accepted pool has 192.0.2.7 any longer; no accepted IPAddressPool gives out 192.0.2.7`,
			},
		},
		{
			name: "delete and create again in time",
			do: func(c *cluster) {
				c.remove(poolObject("gold"))
				c.settle()
				c.pass(Grace - time.Second)
				c.create(poolObject("gold", "192.0.2.0/29"))
			},
			once: held, later: held, told: []string{},
		},
		{
			name: "delete and create again late",
			do: func(c *cluster) {
				c.remove(poolObject("gold"))
				c.settle()
				c.pass(Grace)
				c.create(poolObject("gold", "192.0.2.0/29"))
			},
			once:  [3]string{"198.51.100.0 True Assigned", heldB, heldC},
			later: [3]string{"198.51.100.0 True Assigned", heldB, heldC},
		},
		{name: "mistake", do: goldIs("192.0.2.0/29", "192.0.2.9-192.0.2.8"), once: held, later: held},
		{
			name: "mistake, and the controller restarts",
			do: func(c *cluster) {
				goldIs("192.0.2.9-192.0.2.8")(c)
				c.settle()
				c.begin()
			},
			once: held, later: held,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func (e poolEdit) run(t *testing.T) {
	t.Helper()
	c := newCluster(t, poolObject("gold", "192.0.2.0/29"), poolObject("iron", "198.51.100.0/30"))
	c.create(serviceNamed("a"), serviceNamed("b", asksPool("gold")), serviceNamed("c", asksAddress("192.0.2.7")))
	c.settle()
	c.wantAll("before", held)
	c.events = nil
	writes := 0
	c.wrote = func(_, _ *corev1.Service) { writes++ }
	e.do(c)
	c.settle()
	c.wantAll("at once", e.once)
	c.pass(2 * Grace)
	c.wantAll("later", e.later)
	if e.told != nil {
		if d := cmp.Diff(e.told, c.ofServices()); d != "" {
			t.Errorf("events (-want +got)\n%s", d)
		}
		if len(e.told) == 0 && writes > 0 {
			t.Errorf("%d writes to Services, want none", writes)
		}
	}
	c.quiet()
}

// wantAll checks the statuses of a, b and c.
func (c *cluster) wantAll(when string, want [3]string) {
	c.t.Helper()
	got := [3]string{c.status("a"), c.status("b"), c.status("c")}
	if d := cmp.Diff(want, got); d != "" {
		c.t.Errorf("%s (-want +got)\n%s", when, d)
	}
}

// ofServices returns the events that do not tell of pools.
func (c *cluster) ofServices() []string {
	told := []string{}
	for _, e := range c.events {
		if len(e) > 1 && e[1] == ' ' { // their names have one letter
			told = append(told, e)
		}
	}
	return told
}

// A rest is not remembered over a restart, and neither is how long an address
// has been in no pool.
func TestRestartForgetsClocks(t *testing.T) {
	p := poolObject("gold", "192.0.2.0/31")
	p.Spec.Cooldown = &metav1.Duration{Duration: time.Hour}
	c := newCluster(t, p)
	c.create(serviceNamed("a"), serviceNamed("b"))
	c.settle()
	c.remove(serviceNamed("a"))
	c.settle()
	c.create(serviceNamed("c"))
	c.settle()
	c.want("c", " False PoolExhausted")
	c.begin()
	c.settle()
	c.want("c", heldA)

	c.remove(p)
	c.pass(Grace - time.Second)
	c.begin()
	c.pass(Grace - time.Second)
	c.want("c", heldA)
	c.pass(time.Second)
	c.want("c", " False NoMatchingPool")
}

// After a restart nobody knows that an address is not of the pool that its
// Service asks for, if no pool has it; but the status says so, and goes on to.
func TestRestartRecallsRefusal(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
	s := serviceNamed("a")
	c.create(s)
	c.settle()
	c.update(s, func() { asksPool("iron")(s) })
	c.settle()
	c.want("a", "192.0.2.0 False UnknownPool")
	goldIs("bogus")(c)
	c.settle()
	c.want("a", "192.0.2.0 False UnknownPool")
	c.quiet()
}

// A Service that asks for a family which no pool has is told so, however full the
// pools become meanwhile.
func TestUnavailableFamilyAlone(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/32"))
	c.create(serviceNamed("a", dual(corev1.IPFamilyPolicyRequireDualStack)))
	c.settle()
	c.create(serviceNamed("b"))
	c.settle()
	c.want("a", " False FamilyUnavailable")
	c.want("b", "192.0.2.0 True Assigned")
	c.quiet()
}

// A new Service gets nothing from a pool that has a mistake, and is served as
// soon as it is mended.
func TestMistakeServesNobody(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/29"))
	goldIs("192.0.2.0/29", "bogus")(c)
	c.create(serviceNamed("a"), serviceNamed("b", asksPool("gold")), serviceNamed("c", func(s *corev1.Service) {
		s.Spec.LoadBalancerIP = "192.0.2.7"
	}))
	c.settle()
	c.wantAll("with the mistake", [3]string{" False NoMatchingPool", " False UnknownPool", " False AddressNotInPool"})
	goldIs("192.0.2.0/29")(c)
	c.settle()
	c.wantAll("without", held)
}
