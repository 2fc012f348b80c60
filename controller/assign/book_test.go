package assign

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/iprange"
)

// A ledger is a book with a clock and an idea of what the statuses show.
type ledger struct {
	t     *testing.T
	b     *book
	now   time.Time
	seq   int
	specs map[string]*corev1.Service
}

// newLedger returns an empty book with pools in force.
func newLedger(t *testing.T, pools ...config.Pool) *ledger {
	t.Helper()
	l := &ledger{t: t, b: newBook(), now: time.Unix(1e9, 0), specs: map[string]*corev1.Service{}}
	l.pools(pools...)
	return l
}

// pool returns an auto-assigned pool with ranges.
func pool(t *testing.T, name string, edit func(*config.Pool), ranges ...string) config.Pool {
	t.Helper()
	p := config.Pool{Name: name, AutoAssign: true}
	for _, s := range ranges {
		r, err := iprange.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	if edit != nil {
		edit(&p)
	}
	return p
}

// pools puts pools in force, and tries those that wait.
func (l *ledger) pools(pools ...config.Pool) {
	l.t.Helper()
	l.poolsRejected(nil, pools...)
}

func (l *ledger) poolsRejected(rejected map[string]bool, pools ...config.Pool) {
	l.t.Helper()
	if err := l.b.configure(pools, rejected, l.now); err != nil {
		l.t.Fatal(err)
	}
	l.b.retry(l.now)
}

// put tells the book of a Service whose status shows what the book said last.
func (l *ledger) put(name string, edits ...func(*corev1.Service)) outcome {
	l.t.Helper()
	s := serviceNamed(name, edits...)
	l.seq++
	s.CreationTimestamp.Time = l.now.Add(time.Duration(l.seq) * time.Second)
	if old := l.specs[name]; old != nil {
		s.CreationTimestamp = old.CreationTimestamp
	}
	l.specs[name] = s
	l.show(name)
	l.b.observe(newRequest(s), l.now)
	l.b.retry(l.now)
	return l.get(name)
}

// show copies the outcome of a Service to its status.
func (l *ledger) show(name string) {
	if e := l.b.entries["default/"+name]; e != nil {
		l.specs[name].Status.LoadBalancer.Ingress = ingress(e.outcome.addresses)
	}
}

// written tells the book that a status shows the outcome.
func (l *ledger) written(name string) {
	l.show(name)
	l.b.observe(newRequest(l.specs[name]), l.now)
	l.b.retry(l.now)
}

// get returns what became of a Service.
func (l *ledger) get(name string) outcome { return l.b.entries["default/"+name].outcome }

// drop tells the book that a Service is gone.
func (l *ledger) drop(name string) {
	l.b.forget("default/"+name, l.now)
	delete(l.specs, name)
	l.b.retry(l.now)
}

// pass lets time pass, and does what is due.
func (l *ledger) pass(d time.Duration) {
	end := l.now.Add(d)
	for {
		next := l.b.nextWake(l.now)
		if next.IsZero() || next.After(end) {
			break
		}
		l.now = next
		l.b.wake(l.now)
	}
	l.now = end
}

// want checks what became of a Service.
func (l *ledger) want(name string, reason Reason, addresses ...string) {
	l.t.Helper()
	out := l.get(name)
	if out.reason != reason || !slices.Equal(out.addresses, addrs(l.t, addresses...)) {
		l.t.Errorf("%s: %v %v (%s), want %v %v", name, out.reason, out.addresses, out.message, reason, addresses)
	}
}

// says checks the message for a Service.
func (l *ledger) says(name, text string) {
	l.t.Helper()
	if out := l.get(name); !strings.Contains(out.message, text) {
		l.t.Errorf("%s: message %q, want one with %q", name, out.message, text)
	}
}

func asksAddress(a string) func(*corev1.Service) { return annotated("heraldlb.io/addresses", a) }
func asksPool(p string) func(*corev1.Service)    { return annotated("heraldlb.io/address-pool", p) }
func shares(key string) func(*corev1.Service)    { return annotated("heraldlb.io/allow-shared-ip", key) }
func port(n int32) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports[0].Port = n }
}

func TestPoolsInOrder(t *testing.T) {
	pinned := func(priority int) func(*config.Pool) {
		return func(p *config.Pool) { p.Priority, p.Scope.Namespaces = priority, []string{"default"} }
	}
	l := newLedger(t,
		pool(t, "a-last", nil, "192.0.2.0/32"),
		pool(t, "b-open", func(p *config.Pool) { p.Priority = 2 }, "192.0.2.1/32"),
		pool(t, "c-pinned", pinned(2), "192.0.2.2/32"),
		pool(t, "d-first", func(p *config.Pool) { p.Priority = 1 }, "192.0.2.3/32"),
		pool(t, "e-elsewhere", func(p *config.Pool) { p.Scope.Namespaces = []string{"other"} }, "192.0.2.4/32"),
		pool(t, "f-manual", func(p *config.Pool) { p.AutoAssign = false }, "192.0.2.5/32"),
	)
	for i, want := range []string{"192.0.2.3", "192.0.2.2", "192.0.2.1", "192.0.2.0"} {
		name := fmt.Sprint("s", i)
		l.put(name)
		l.want(name, Assigned, want)
	}
	l.put("late")
	l.want("late", PoolExhausted)
	l.says("late", `pool "d-first": all 1 IPv4 addresses are in use`)
	l.says("late", `not for the Service: "e-elsewhere", "f-manual"`)
	l.put("asks", asksPool("f-manual"))
	l.want("asks", Assigned, "192.0.2.5")
}

func TestRefusals(t *testing.T) {
	l := newLedger(t,
		pool(t, "gold", nil, "192.0.2.0/30"),
		pool(t, "theirs", func(p *config.Pool) { p.Scope.Namespaces = []string{"other"} }, "198.51.100.0/30"),
	)
	l.put("holder", asksAddress("192.0.2.1"))
	l.want("holder", Assigned, "192.0.2.1")
	tests := []struct {
		name   string
		edits  []func(*corev1.Service)
		reason Reason
		text   string
	}{
		{"unknown-pool", []func(*corev1.Service){asksPool("silver")}, UnknownPool, `there is no IPAddressPool "silver"`},
		{"pool-not-ours", []func(*corev1.Service){asksPool("theirs")}, PoolNotAllowed, `pool "theirs": its serviceAllocation excludes the Service`},
		{"address-not-ours", []func(*corev1.Service){asksAddress("198.51.100.1")}, PoolNotAllowed, `198.51.100.1 is in pool "theirs"`},
		{"no-pool", []func(*corev1.Service){asksAddress("203.0.113.1")}, AddressNotInPool, "no accepted IPAddressPool gives out 203.0.113.1"},
		{"other-pool", []func(*corev1.Service){asksAddress("192.0.2.2"), asksPool("theirs")}, AddressNotInPool, `is in pool "gold", but the Service asks for pool "theirs"`},
		{"in-use", []func(*corev1.Service){asksAddress("192.0.2.1")}, AddressInUse, "192.0.2.1 is held by Service default/holder"},
		{"family", []func(*corev1.Service){dual(corev1.IPFamilyPolicyRequireDualStack)}, FamilyUnavailable, `pool "gold": has no IPv6 addresses`},
		{"invalid", []func(*corev1.Service){asksAddress("x")}, InvalidAnnotation, "not an IP address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l.put(tt.name, tt.edits...)
			l.want(tt.name, tt.reason)
			l.says(tt.name, tt.text)
		})
	}
	empty := newLedger(t)
	empty.put("a")
	empty.want("a", NoMatchingPool)
	empty.says("a", "there is no accepted IPAddressPool")
}

// A wish that cannot be fulfilled costs nothing that is held.
func TestRefusedWishKeepsAddress(t *testing.T) {
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/31"), pool(t, "full", nil, "198.51.100.0/32"))
	l.put("other", asksPool("full"))
	l.put("a", asksPool("gold"))
	l.want("a", Assigned, "192.0.2.0")
	for _, tt := range []struct {
		edit   func(*corev1.Service)
		reason Reason
	}{
		{asksAddress("bogus"), InvalidAnnotation},
		{asksAddress("198.51.100.0"), AddressInUse},
		{asksAddress("203.0.113.9"), AddressNotInPool},
		{asksPool("full"), PoolExhausted},
		{asksPool("nowhere"), UnknownPool},
		{dual(corev1.IPFamilyPolicyRequireDualStack), FamilyUnavailable},
	} {
		l.put("a", tt.edit)
		l.want("a", tt.reason, "192.0.2.0")
		l.says("a", "the Service keeps 192.0.2.0")
	}
	l.drop("other")
	l.put("a", asksPool("full"))
	l.want("a", Assigned, "198.51.100.0")
	l.put("a")
	l.want("a", Assigned, "198.51.100.0") // asking for nothing moves nothing
}

func TestMoveIsSafe(t *testing.T) {
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/31"))
	l.put("a")
	l.written("a")
	l.put("b", asksAddress("192.0.2.0"))
	l.want("b", AddressInUse)
	// a moves; until its status is rewritten b must not get what it shows.
	s := l.specs["a"]
	annotated("heraldlb.io/addresses", "192.0.2.1")(s)
	l.b.observe(newRequest(s), l.now)
	l.b.retry(l.now)
	l.want("a", Assigned, "192.0.2.1")
	l.want("b", AddressInUse)
	// it may change its mind meanwhile
	annotated("heraldlb.io/addresses", "192.0.2.0")(s)
	l.b.observe(newRequest(s), l.now)
	l.want("a", Assigned, "192.0.2.0")
	annotated("heraldlb.io/addresses", "192.0.2.1")(s)
	l.b.observe(newRequest(s), l.now)
	l.written("a")
	l.want("b", Assigned, "192.0.2.0")
}

// shared returns a ledger of two Services that share its only address.
func shared(t *testing.T) *ledger {
	t.Helper()
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.1/32"))
	l.put("a", shares("k"))
	l.written("a")
	l.put("b", shares("k"), port(443))
	l.written("b")
	return l
}

// stale tells the book of an edit of a Service whose status shows an address still.
func (l *ledger) stale(name, shown string, edits ...func(*corev1.Service)) {
	l.t.Helper()
	s := serviceNamed(name, edits...)
	s.CreationTimestamp = l.specs[name].CreationTimestamp
	s.Status.LoadBalancer.Ingress = ingress(addrs(l.t, shown))
	l.specs[name] = s
	l.b.observe(newRequest(s), l.now)
}

// Nobody gets an address that a status shows, however often the book looks at
// the Service that lost it.
func TestLeavingIsKept(t *testing.T) {
	l := shared(t)
	l.stale("a", "192.0.2.1") // it shares no longer
	l.want("a", PoolExhausted)
	for range 3 {
		l.b.retry(l.now)
		l.put("c", shares("k"))
		l.want("c", PoolExhausted)
		l.stale("a", "192.0.2.1")
	}
	l.written("a")
	l.want("c", Assigned, "192.0.2.1")
}

// What a Service that is gone was still giving up helps those that wait.
func TestLeavingOfOneThatIsGone(t *testing.T) {
	l := shared(t)
	l.stale("a", "192.0.2.1", shares("k"), port(443)) // b's port
	l.want("a", PoolExhausted)
	l.put("c", shares("k"))
	l.want("c", PoolExhausted)
	l.drop("a")
	l.want("c", Assigned, "192.0.2.1")
}

func TestRetry(t *testing.T) {
	rest := func(p *config.Pool) { p.Cooldown = time.Minute }
	l := newLedger(t, pool(t, "gold", rest, "192.0.2.0/31"), pool(t, "labelled", func(p *config.Pool) {
		p.Scope.NamespaceSelectors = []labels.Selector{labels.SelectorFromSet(labels.Set{"team": "a"})}
	}, "198.51.100.0/32"))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		l.put(name)
	}
	l.want("c", PoolExhausted)
	l.b.takeChanged()

	l.drop("a") // rests for a minute
	l.want("c", PoolExhausted)
	l.says("c", "are in use or rest after it")
	l.pass(59 * time.Second)
	l.want("c", PoolExhausted)
	l.pass(time.Second)
	l.want("c", Assigned, "192.0.2.0") // the oldest that waits
	l.want("d", PoolExhausted)

	l.b.setNamespace("default", config.Labels{"team": "a"})
	l.b.retry(l.now)
	l.want("d", Assigned, "198.51.100.0")
	l.b.takeChanged()
	l.b.setNamespace("default", config.Labels{"team": "a"})
	l.b.retry(l.now)
	if got := l.b.takeChanged(); len(got) > 0 {
		t.Errorf("changed %v, want none", got)
	}
	l.pools(pool(t, "gold", rest, "192.0.2.0/29"))
	l.want("e", Assigned, "192.0.2.2")
}

func TestGrace(t *testing.T) {
	gold, iron := pool(t, "gold", nil, "192.0.2.0/31"), pool(t, "iron", nil, "198.51.100.0/31")
	start := func(t *testing.T) *ledger {
		l := newLedger(t, gold)
		l.put("a")
		l.put("b", asksPool("gold"))
		l.put("c", asksAddress("192.0.2.1"))
		l.drop("c")
		l.b.takeChanged()
		return l
	}
	t.Run("the pool comes back in time", func(t *testing.T) {
		l := start(t)
		l.pools(iron)
		l.pass(Grace - time.Second)
		l.pools(gold, iron)
		l.pass(time.Hour)
		if got := l.b.takeChanged(); len(got) > 0 {
			t.Errorf("changed %v, want none", got)
		}
		l.pools(iron) // the time counts anew
		l.pass(Grace - time.Second)
		l.want("a", Assigned, "192.0.2.0")
	})
	t.Run("another pool serves", func(t *testing.T) {
		l := start(t)
		l.pools(iron)
		l.pass(Grace)
		l.want("a", Assigned, "198.51.100.0")
		l.want("b", UnknownPool)
		if got, want := l.get("a").cause, "no accepted pool has 192.0.2.0 any longer"; got != want {
			t.Errorf("cause %q, want %q", got, want)
		}
	})
	t.Run("nothing serves, and the pool comes back late", func(t *testing.T) {
		l := start(t)
		l.pools()
		l.pass(Grace)
		l.want("a", NoMatchingPool)
		l.written("a")
		l.pools(gold)
		l.put("new")
		l.want("a", Assigned, "192.0.2.0")
		l.want("b", Assigned, "192.0.2.1")
		l.want("new", PoolExhausted)
	})
	t.Run("a pool with a mistake costs nobody an address", func(t *testing.T) {
		l := start(t)
		l.poolsRejected(map[string]bool{"gold": true}, iron)
		l.pass(24 * time.Hour)
		l.want("a", Assigned, "192.0.2.0")
		l.pools(iron) // now it is gone, and the time begins
		l.pass(Grace - time.Second)
		l.want("a", Assigned, "192.0.2.0")
		l.pass(time.Second)
		l.want("a", Assigned, "198.51.100.0")
	})
	t.Run("the address of another pool moves without delay", func(t *testing.T) {
		l := start(t)
		l.pools(iron)
		l.put("a", asksPool("iron"))
		l.want("a", Assigned, "198.51.100.0")
	})
}

// Each address that no pool has gets a Grace of its own, whatever became of the
// Service's other one before.
func TestGraceOfEachFamily(t *testing.T) {
	four, six := pool(t, "four", nil, "192.0.2.0/31"), pool(t, "six", nil, "2001:db8::/127")
	l := newLedger(t, four, six)
	l.put("a", dual(corev1.IPFamilyPolicyRequireDualStack))
	l.pools(six) // the other is gone for good
	l.pass(Grace)
	l.written("a")
	l.want("a", FamilyUnavailable, "2001:db8::")
	l.pass(24 * time.Hour)
	l.pools() // six is replaced
	l.want("a", NoMatchingPool, "2001:db8::")
	l.pass(Grace - time.Second)
	l.want("a", NoMatchingPool, "2001:db8::")
	l.pools(six)
	l.pass(time.Hour)
	l.want("a", FamilyUnavailable, "2001:db8::")
	l.pools() // now for good
	l.pass(Grace - time.Second)
	l.want("a", NoMatchingPool, "2001:db8::")
	l.pass(time.Second)
	l.want("a", NoMatchingPool)
	if next := l.b.nextWake(l.now); !next.IsZero() {
		t.Errorf("next wake %v though every Grace is over", next)
	}
}

func TestDualStack(t *testing.T) {
	four, six := pool(t, "four", nil, "192.0.2.0/31"), pool(t, "six", nil, "2001:db8::/127")
	require, prefer := dual(corev1.IPFamilyPolicyRequireDualStack), dual(corev1.IPFamilyPolicyPreferDualStack)

	l := newLedger(t, four)
	l.put("require", require)
	l.want("require", FamilyUnavailable)
	l.put("prefer", prefer)
	l.want("prefer", PartlyAssigned, "192.0.2.0")
	l.says("prefer", `pool "four": has no IPv6 addresses`)
	l.b.takeChanged()
	for range 3 { // it never flaps
		l.written("prefer")
	}
	if got := l.b.takeChanged(); len(got) > 0 {
		t.Errorf("changed %v, want none", got)
	}
	l.pools(four, six)
	l.want("prefer", Assigned, "192.0.2.0", "2001:db8::") // it holds something already
	l.want("require", Assigned, "192.0.2.1", "2001:db8::1")

	one := newLedger(t, four, six, pool(t, "z-both", nil, "198.51.100.0/32", "2001:db8:1::/128"))
	one.put("a", require)
	one.want("a", Assigned, "198.51.100.0", "2001:db8:1::") // one pool for both comes first
	one.put("a")                                            // single stack from now on
	one.want("a", Assigned, "198.51.100.0")
	one.put("a", prefer)
	one.want("a", Assigned, "198.51.100.0", "2001:db8:1::") // beside its other address
}

func TestSharing(t *testing.T) {
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/30"))
	l.put("a", shares("k"))
	l.put("b", shares("k"), port(81))
	l.put("c", shares("k")) // port 80 is taken
	l.put("d", asksAddress("192.0.2.0"), port(82))
	l.want("a", Assigned, "192.0.2.0")
	l.want("b", Assigned, "192.0.2.0")
	l.want("c", Assigned, "192.0.2.1")
	l.want("d", AddressInUse)
	l.says("d", "only the holder has a sharing key")
	l.put("d", asksAddress("192.0.2.0"), port(82), shares("k"))
	l.want("d", Assigned, "192.0.2.0")

	l.put("b", shares("k"), port(80)) // who breaks the rules moves
	l.want("b", Assigned, "192.0.2.2")
	if cause := l.get("b").cause; !strings.Contains(cause, "both use TCP port 80") {
		t.Errorf("cause %q", cause)
	}
	l.want("a", Assigned, "192.0.2.0")
	l.put("d", asksAddress("192.0.2.0"), port(80), shares("k"))
	l.want("d", AddressInUse)
	l.put("a", shares("k"), port(90))
	l.want("d", Assigned, "192.0.2.0") // its holder made room
}

// At a start everything shown is claimed first, the oldest Service first.
func TestStart(t *testing.T) {
	at := func(age int, shown ...string) func(*corev1.Service) {
		return func(s *corev1.Service) {
			s.CreationTimestamp.Time = time.Unix(1e9-int64(age), 0)
			s.Status.LoadBalancer.Ingress = ingress(addrs(t, shown...))
		}
	}
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/29", "2001:db8::/126"))
	var all []*request
	for name, s := range map[string]*corev1.Service{
		"oldest-pending": serviceNamed("oldest-pending", at(100)),
		"double-young":   serviceNamed("double-young", at(10, "192.0.2.1")),
		"double-old":     serviceNamed("double-old", at(20, "192.0.2.1")),
		"young":          serviceNamed("young", at(1, "192.0.2.0")),
		"foreign":        serviceNamed("foreign", at(5, "203.0.113.5")),
		"half": serviceNamed("half", at(4, "192.0.2.1", "2001:db8::3"),
			dual(corev1.IPFamilyPolicyPreferDualStack)),
		"sharer": serviceNamed("sharer", at(3, "192.0.2.6"), shares("k")),
		"other":  serviceNamed("other", at(2, "192.0.2.6"), shares("k"), port(443)),
	} {
		l.specs[name] = s
		all = append(all, newRequest(s))
	}
	l.b.start(all, l.now)
	l.b.retry(l.now)
	l.want("young", Assigned, "192.0.2.0")
	l.want("double-old", Assigned, "192.0.2.1")
	l.want("sharer", Assigned, "192.0.2.6")
	l.want("other", Assigned, "192.0.2.6")
	l.want("foreign", Assigned, "203.0.113.5") // for Grace
	// of those without, the ones that hold something come first
	l.want("half", Assigned, "192.0.2.2", "2001:db8::3")
	l.want("oldest-pending", Assigned, "192.0.2.3")
	l.want("double-young", Assigned, "192.0.2.4")
	l.pass(Grace)
	l.want("foreign", Assigned, "192.0.2.5")
}

func TestObserveIgnoresWhatIsOlder(t *testing.T) {
	l := newLedger(t, pool(t, "gold", nil, "192.0.2.0/30"))
	version := func(v string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.ResourceVersion = v }
	}
	l.put("a", version("10"), asksAddress("192.0.2.2"))
	l.put("a", version("9"), asksAddress("192.0.2.1"))
	l.want("a", Assigned, "192.0.2.2")
	l.put("a", version("11"), asksAddress("192.0.2.1"))
	l.want("a", Assigned, "192.0.2.1")
}

// A Service that is created under the name of one that is gone has nothing of it.
func TestCreatedAgain(t *testing.T) {
	uid := func(id types.UID) func(*corev1.Service) {
		return func(s *corev1.Service) { s.UID = id }
	}
	l := newLedger(t, pool(t, "vip", func(p *config.Pool) { p.AutoAssign = false }, "192.0.2.1/32"), pool(t, "gold", nil, "198.51.100.0/24"))
	l.put("a", asksPool("vip"), uid("1"))
	l.written("a")
	l.put("b", asksPool("vip"), uid("2"))
	l.b.observe(newRequest(serviceNamed("a", uid("3"))), l.now)
	l.b.retry(l.now)
	l.want("a", Assigned, "198.51.100.0")
	l.want("b", Assigned, "192.0.2.1")
}

func TestNoTimerWithoutNeed(t *testing.T) {
	l := newLedger(t, pool(t, "gold", func(p *config.Pool) { p.Cooldown = time.Minute }, "192.0.2.0/31"))
	l.put("a")
	l.put("b")
	l.drop("a")
	if next := l.b.nextWake(l.now); !next.IsZero() {
		t.Errorf("next wake %v though nobody waits", next)
	}
	l.put("c", asksAddress("192.0.2.0")) // who names an address need not wait for it
	l.want("c", Assigned, "192.0.2.0")
}
