package assign

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/config"
)

// Pools of a better rank come first for each family; only among equals one
// pool for both families comes before two.
func TestRanksOfPools(t *testing.T) {
	pinned := func(p *config.Pool) { p.Scope.Namespaces = []string{"default"} }
	first := func(p *config.Pool) { p.Priority = 1 }
	both := []string{"192.0.2.0/30", "2001:db8::/126"}
	four, six := "198.51.100.0/30", "2001:db8:1::/126"
	rows := []struct {
		name  string
		pools []config.Pool
		want  []string
	}{
		{"equal", []config.Pool{pool(t, "a", nil, four), pool(t, "b", nil, both...)}, []string{"192.0.2.0", "2001:db8::"}},
		{"one pinned", []config.Pool{pool(t, "a", nil, both...), pool(t, "b", pinned, four)}, []string{"198.51.100.0", "2001:db8::"}},
		{"two pinned", []config.Pool{pool(t, "a", nil, both...), pool(t, "b", pinned, four), pool(t, "c", pinned, six)}, []string{"198.51.100.0", "2001:db8:1::"}},
		{"one pinned has both", []config.Pool{pool(t, "a", pinned, four), pool(t, "b", pinned, both...)}, []string{"192.0.2.0", "2001:db8::"}},
		{"of priority", []config.Pool{pool(t, "a", nil, both...), pool(t, "b", first, six)}, []string{"192.0.2.0", "2001:db8:1::"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			l := newLedger(t, r.pools...)
			l.put("s", dual(corev1.IPFamilyPolicyRequireDualStack))
			l.want("s", Assigned, r.want...)
		})
	}
}

// The second family comes from the pool of the first, unless a pool of a
// better rank has it.
func TestRankOfTheSecondFamily(t *testing.T) {
	pinned := func(p *config.Pool) { p.Scope.Namespaces = []string{"default"} }
	a, b := pool(t, "a", nil, "2001:db8:1::/126"), pool(t, "b", nil, "192.0.2.0/30", "2001:db8::/126")
	l := newLedger(t, a, b)
	l.put("s")
	l.put("s", dual(corev1.IPFamilyPolicyRequireDualStack))
	l.want("s", Assigned, "192.0.2.0", "2001:db8::")
	l = newLedger(t, pool(t, "a", pinned, "2001:db8:1::/126"), b)
	l.put("s")
	l.put("s", dual(corev1.IPFamilyPolicyRequireDualStack))
	l.want("s", Assigned, "192.0.2.0", "2001:db8:1::")
}

// What becomes free goes to who waited before, not to who happens to come.
func TestWaitingComesFirst(t *testing.T) {
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/32"))
	l.put("holder")
	l.put("first")
	l.put("second")
	l.b.forget("default/holder", l.now) // and nobody has looked who waits
	s := serviceNamed("new")
	s.CreationTimestamp.Time = l.now // older even, but never seen before
	l.b.observe(newRequest(s), l.now)
	l.want("first", Assigned, "192.0.2.0")
	l.want("new", PoolExhausted)
	l.b.forget("default/first", l.now)
	l.b.observe(newRequest(l.specs["second"]), l.now)
	l.want("new", Assigned, "192.0.2.0") // of two that wait the older
	l.want("second", PoolExhausted)
}

// The end of a cooldown is for who waits, also for who comes in that moment.
func TestWaitingComesFirstAfterCooldown(t *testing.T) {
	gold := poolObject("gold", "192.0.2.0/32")
	gold.Spec.Cooldown = &metav1.Duration{Duration: time.Minute}
	c := newCluster(t, gold)
	c.create(serviceNamed("holder"))
	c.settle()
	c.create(serviceNamed("waits"))
	c.settle()
	c.remove(serviceNamed("holder"))
	c.settle()
	c.pass(59 * time.Second)
	c.want("waits", " False PoolExhausted")
	c.now = c.now.Add(time.Second)
	c.create(serviceNamed("comes"))
	c.sync()
	c.work(client.ObjectKey{Namespace: "default", Name: "comes"})
	c.settle()
	c.want("waits", "192.0.2.0 True Assigned")
	c.want("comes", " False PoolExhausted")
	c.remove(serviceNamed("waits"))
	c.pass(2 * time.Minute) // nothing but time passes
	c.want("comes", "192.0.2.0 True Assigned")
}

// A Service that is being deleted gets nothing, and keeps what it has.
func TestNothingForTheDeleted(t *testing.T) {
	finalizer := func(s *corev1.Service) { s.Finalizers = []string{"example.com/slow"} }
	c := newCluster(t, poolObject("gold", "192.0.2.0/32"))
	c.create(serviceNamed("holds", finalizer))
	c.settle()
	c.create(serviceNamed("waits", finalizer))
	c.settle()
	before := c.writes
	c.remove(serviceNamed("waits"))
	c.settle()
	late := serviceNamed("late", finalizer, asksAddress("192.0.2.0"))
	c.create(late)
	c.remove(late)
	c.settle()
	goldIs("192.0.2.0/30")(c)
	c.create(serviceNamed("new"))
	c.settle()
	c.want("waits", " False PoolExhausted")
	c.want("new", "192.0.2.1 True Assigned")
	c.remove(serviceNamed("holds"))
	c.settle()
	c.want("holds", "192.0.2.0 True Assigned")
	if s := c.status("late"); s != "" {
		t.Errorf("late: status %q, want none", s)
	}
	if got := c.writes - before; got != 2 { // of new and gold
		t.Errorf("%d writes, want 2", got)
	}
	c.begin()
	c.settle()
	c.want("holds", "192.0.2.0 True Assigned")
	if got := c.writes - before; got != 2 {
		t.Errorf("%d writes with a restart, want 2", got)
	}
}

// After a start any pool that is not accepted protects addresses that come
// from nobody knows where, but not for ever.
func TestDoubtEnds(t *testing.T) {
	l := &ledger{t: t, b: newBook(), now: time.Unix(1e9, 0), specs: map[string]*corev1.Service{}}
	l.poolsRejected(map[string]bool{"mistake": true}, pool(t, "gold", nil, "192.0.2.0/30"))
	s := serviceNamed("a")
	s.Status.LoadBalancer.Ingress = ingress(addrs(t, "198.51.100.1"))
	l.specs["a"] = s
	l.b.start([]*request{newRequest(s)}, l.now)
	l.pass(Doubt - time.Second)
	l.want("a", Assigned, "198.51.100.1")
	l.pass(2*Grace + time.Second)
	l.want("a", Assigned, "192.0.2.0")
}

// A Service that prefers two families and has one does not give it up for one
// of the other family.
func TestNoSwapOfFamilies(t *testing.T) {
	l := newLedger(t, pool(t, "four", nil, "192.0.2.0/30"), pool(t, "six", nil, "2001:db8::/126"), pool(t, "more", nil, "198.51.100.0/30"))
	prefer := dual(corev1.IPFamilyPolicyPreferDualStack)
	l.put("a", prefer, asksPool("four"))
	l.want("a", PartlyAssigned, "192.0.2.0")
	l.put("a", prefer, asksPool("six"))
	l.want("a", FamilyUnavailable, "192.0.2.0")
	l.says("a", `pool "six": has no IPv4 addresses; the Service keeps 192.0.2.0`)
	l.put("a", prefer, asksPool("more"))
	l.want("a", PartlyAssigned, "198.51.100.0")
	l.put("a", prefer)
	l.want("a", Assigned, "198.51.100.0", "2001:db8::")
	l.put("new", prefer, asksPool("six"))
	l.want("new", PartlyAssigned, "2001:db8::1")
}
