package assign

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}
}

// poolObject returns an IPAddressPool.
func poolObject(name string, addresses ...string) *v1beta1.IPAddressPool {
	return &v1beta1.IPAddressPool{
		ObjectMeta: objectMeta("", name),
		Spec:       v1beta1.IPAddressPoolSpec{Addresses: addresses},
	}
}

// status returns a Service's addresses and the reason of its condition.
func (c *cluster) status(name string) string {
	c.t.Helper()
	s := c.live()[client.ObjectKey{Namespace: "default", Name: name}]
	if s == nil {
		return "gone"
	}
	words := []string{list(shownAddresses(s))}
	if cond := ourCondition(s); cond != nil {
		words = append(words, string(cond.Status), cond.Reason)
	}
	return strings.Join(words, " ")
}

func (c *cluster) want(name, want string) {
	c.t.Helper()
	if got := c.status(name); got != want {
		c.t.Errorf("%s: status %q, want %q", name, got, want)
	}
}

// quiet checks that nothing is written any more, whoever looks.
func (c *cluster) quiet() {
	c.t.Helper()
	c.settle()
	writes, events := c.writes, len(c.events)
	for k := range c.live() {
		c.queue[k] = true
	}
	c.a.enqueueCached(c.t.Context())
	c.settle()
	c.begin()
	c.settle()
	if c.writes != writes || len(c.events) != events {
		c.t.Errorf("%d writes and events %q in a settled cluster", c.writes-writes, c.events[events:])
	}
}

func TestServiceLife(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
	s := serviceNamed("a")
	c.create(s)
	c.settle()
	c.want("a", "192.0.2.0 True Assigned")
	in := c.live()[client.ObjectKeyFromObject(s)].Status.LoadBalancer.Ingress
	if len(in) != 1 || in[0].IPMode == nil || *in[0].IPMode != corev1.LoadBalancerIPModeVIP {
		t.Errorf("ingress %v, want one of mode VIP", in)
	}
	c.quiet()

	c.update(s, func() { annotated("heraldlb.io/addresses", "192.0.2.1")(s) })
	c.settle()
	c.want("a", "192.0.2.1 True Assigned")
	c.quiet()

	c.update(s, func() { s.Spec.Type = corev1.ServiceTypeClusterIP })
	c.settle()
	c.want("a", "")
	c.create(serviceNamed("b", annotated("heraldlb.io/addresses", "192.0.2.1")))
	c.settle()
	c.want("b", "192.0.2.1 True Assigned")

	c.update(s, func() { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
	c.settle()
	c.want("a", " False AddressInUse")
	c.remove(serviceNamed("b"))
	c.settle()
	c.want("a", "192.0.2.1 True Assigned")
	c.quiet()

	want := []string{
		`a AddressAssigned: 192.0.2.0 from pool "gold"`,
		`a AddressReassigned: 192.0.2.0 replaced by 192.0.2.1: the Service asks for 192.0.2.1; now 192.0.2.1 from pool "gold"`,
		`a AddressReleased: 192.0.2.1 released: the Service is no longer one that Herald handles`,
		`b AddressAssigned: 192.0.2.1 from pool "gold"`,
		`a AssignmentFailed: 192.0.2.1 is held by Service default/b, and cannot be shared: neither has a sharing key`,
		`a AddressAssigned: 192.0.2.1 from pool "gold"`,
	}
	if diff := cmp.Diff(want, c.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The API server itself takes the addresses off a Service whose type changes,
// but not its conditions; that they are released is told all the same.
func TestReleaseOfCleanStatus(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/32"))
	s := serviceNamed("a")
	c.create(s, serviceNamed("b"))
	c.settle()
	c.want("b", " False PoolExhausted")
	c.update(s, func() { s.Spec.Type = corev1.ServiceTypeNodePort })
	s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	if err := c.api.Status().Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	c.settle()
	c.want("a", "")
	c.want("b", "192.0.2.0 True Assigned")
	if want := "a AddressReleased: 192.0.2.0 released: the Service is no longer one that Herald handles"; !slices.Contains(c.events, want) {
		t.Errorf("events %q, want %q", c.events, want)
	}
	c.quiet()
}

// An API server that leaves the status of a Service alone whose type changes
// has it show the addresses until we take them off; nobody else gets them until
// then, not even from a controller that starts in between.
func TestStartKeepsWhatIsDisowned(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/32"))
	s := serviceNamed("a")
	c.create(s)
	c.settle()
	c.want("a", "192.0.2.0 True Assigned")
	c.update(s, func() { s.Spec.Type = corev1.ServiceTypeClusterIP })
	c.create(serviceNamed("b"))
	c.sync()
	c.begin()
	c.work(client.ObjectKey{Namespace: "default", Name: "b"})
	c.want("a", "192.0.2.0 True Assigned")
	c.want("b", " False PoolExhausted")
	c.settle()
	c.want("a", "")
	c.want("b", "192.0.2.0 True Assigned")
	c.quiet()
}

func TestForeignStatus(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"))
	s := serviceNamed("a")
	c.create(s)
	c.settle()
	for _, in := range [][]corev1.LoadBalancerIngress{
		{{IP: "203.0.113.1"}}, {{Hostname: "lb.example.com"}}, {{IP: "192.0.2.3"}}, {{IP: "bogus"}}, nil,
	} {
		if err := c.api.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			t.Fatal(err)
		}
		s.Status.LoadBalancer.Ingress = in
		s.Status.Conditions = append(s.Status.Conditions[:0], metav1.Condition{
			Type: "example.com/Theirs", Status: "True", Reason: "R", LastTransitionTime: metav1.Now(),
		})
		if err := c.api.Status().Update(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.now = c.now.Add(2 * peace)
		c.want("a", "192.0.2.0 True Assigned")
		if got := c.live()[client.ObjectKeyFromObject(s)]; len(got.Status.Conditions) != 2 {
			t.Errorf("conditions %v, want theirs and ours", got.Status.Conditions)
		}
	}
	if u := c.a.term.book.keptFromOthers(c.a.term.book.entries["default/a"]); len(u) != 1 {
		t.Errorf("claims %v, want one", u)
	}
}

func TestOtherClassesAreLeftAlone(t *testing.T) {
	class := "example.com/other"
	s := serviceNamed("a", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &class })
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.0"}}
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"), s)
	writes := c.writes
	c.settle()
	if got := c.writes - writes; got != 1 { // the pool's own status
		t.Errorf("%d writes, want 1", got)
	}
	c.want("a", "192.0.2.0")
}

// Against another controller that rewrites a status for ever, few writes are
// made, and one event; when it stops, the status is right soon.
func TestContest(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"))
	s := serviceNamed("a")
	c.create(s)
	c.settle()
	before := c.writes
	work := func() {
		c.sync()
		for k := range c.queue {
			c.work(k)
		}
	}
	for range 600 {
		if err := c.api.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			t.Fatal(err)
		}
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.1"}}
		if err := c.api.Status().Update(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		work()
		c.now = c.now.Add(time.Second)
	}
	if got := c.writes - before; got > 20 {
		t.Errorf("%d writes in ten minutes", got)
	}
	told := 0
	for _, e := range c.events {
		if strings.HasPrefix(e, "a StatusContested") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	c.now = c.now.Add(lastPause)
	work()
	c.want("a", "192.0.2.0 True Assigned")
}

// A write that fails is tried again, and the claim stays meanwhile.
func TestWriteFails(t *testing.T) {
	conflict := apierrors.NewConflict(corev1.Resource("services"), "a", errInjected)
	for _, tt := range []struct {
		name string
		err  error
		late bool
	}{
		{"before", errInjected, false}, {"after", errInjected, true}, {"conflict", conflict, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
			c.settle()
			c.create(serviceNamed("a"))
			c.sync()
			c.fault = func() (error, bool) { return tt.err, tt.late }
			c.work(client.ObjectKey{Namespace: "default", Name: "a"})
			c.fault = func() (error, bool) { return nil, false }
			c.create(serviceNamed("b"))
			c.settle()
			c.want("a", "192.0.2.0 True Assigned")
			c.want("b", "192.0.2.1 True Assigned")
			c.quiet()
		})
	}
}

func TestVerdictsAndCounts(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"))
	c.create(poolObject("rival", "192.0.2.2/31"))
	c.create(serviceNamed("a"))
	c.settle()
	c.pass(countInterval)
	accepted := func(name string) string {
		p := &v1beta1.IPAddressPool{}
		if err := c.api.Get(t.Context(), client.ObjectKey{Name: name}, p); err != nil {
			t.Fatal(err)
		}
		if len(p.Status.Conditions) != 1 {
			return "none"
		}
		text, err := json.Marshal(map[string]any{
			"status": p.Status.Conditions[0].Status, "reason": p.Status.Conditions[0].Reason,
			"seen": p.Status.Conditions[0].ObservedGeneration, "ipv4": p.Status.IPv4,
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := `{"ipv4":{"total":"4","assigned":"1","available":"3"},"reason":"Valid","seen":1,"status":"True"}`
	if got := accepted("gold"); got != want {
		t.Errorf("gold: %s, want %s", got, want)
	}
	want = `{"ipv4":null,"reason":"Overlap","seen":1,"status":"False"}`
	if got := accepted("rival"); got != want {
		t.Errorf("rival: %s, want %s", got, want)
	}
	c.update(poolObject("gold"), func() {}) // a new generation of the same
	rival := poolObject("rival")
	c.update(rival, func() { rival.Spec.Addresses = []string{"198.51.100.0/31"} })
	c.settle()
	want = `{"ipv4":{"total":"2","assigned":"0","available":"2"},"reason":"Valid","seen":2,"status":"True"}`
	if got := accepted("rival"); got != want {
		t.Errorf("rival: %s, want %s", got, want)
	}
	c.quiet()
	if !slices.ContainsFunc(c.events, func(e string) bool { return strings.HasPrefix(e, "rival Overlap: not accepted: ") }) ||
		!slices.Contains(c.events, "rival Accepted: accepted") {
		t.Errorf("events %q", c.events)
	}
}

// A burst costs one write of a pool's counts in countInterval, and the first
// one is not at once. What is undone meanwhile costs none.
func TestCountsAreWrittenRarely(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/24"))
	c.settle()
	const burst = 50
	name := func(i int) string { return string(rune('a'+i%26)) + string(rune('a'+i/26)) }
	want := func(when string, writes int, assigned string) {
		t.Helper()
		var p v1beta1.IPAddressPool
		if err := c.api.Get(t.Context(), client.ObjectKey{Name: "gold"}, &p); err != nil {
			t.Fatal(err)
		}
		if c.writes != writes || p.Status.IPv4.Assigned != assigned {
			t.Errorf("%s: %d writes and %s assigned, want %d and %s", when, c.writes, p.Status.IPv4.Assigned, writes, assigned)
		}
	}
	before := c.writes
	for i := range burst {
		c.create(serviceNamed(name(i)))
		c.pass(countInterval / burst / 2)
	}
	want("after a burst", before+burst, "0")
	c.pass(countInterval/2 + time.Second)
	want("an interval after its begin", before+burst+1, "50")
	c.remove(serviceNamed(name(0)))
	c.pass(countInterval / 5)
	c.create(serviceNamed("next"))
	c.pass(time.Minute)
	want("after one was deleted and another created", before+burst+2, "50")
	c.remove(serviceNamed(name(1)))
	c.pass(countInterval - time.Second)
	want("before an interval has passed", before+burst+2, "50")
	failed := false
	c.fault = func() (error, bool) {
		if failed {
			return nil, false
		}
		failed = true
		return errInjected, false
	}
	c.pass(2 * time.Second)
	want("after one was deleted, and the first write failed", before+burst+3, "49")
	c.pass(time.Minute)
	want("at rest", before+burst+3, "49")
}

func TestSecret(t *testing.T) {
	c := newCluster(t)
	c.settle()
	read := func() string {
		var s corev1.Secret
		if err := c.api.Get(t.Context(), client.ObjectKey{Namespace: v1beta1.Namespace, Name: kube.MemberlistSecret}, &s); err != nil {
			t.Fatal(err)
		}
		return string(s.Data[kube.MemberlistKey])
	}
	first := read()
	if len(first) != 44 {
		t.Errorf("key %q, want 32 bytes in base64", first)
	}
	c.begin()
	c.settle()
	if again := read(); again != first {
		t.Error("key changed")
	}
}

func TestNothingOutsideOfATerm(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
	c.settle()
	c.a.setTerm(nil)
	before := c.writes
	s := serviceNamed("a")
	c.create(s)
	c.sync()
	c.work(client.ObjectKeyFromObject(s))
	c.do(task{})
	c.do(task{kind: v1beta1.KindIPAddressPool, name: "gold"})
	if c.writes != before || len(c.queue) > 0 {
		t.Errorf("%d writes, queue %v", c.writes-before, c.queue)
	}
}

// A delayed reader calls then after each list of pools.
type delayed struct {
	client.Client
	then func()
}

func (d delayed) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := d.Client.List(ctx, list, opts...)
	if _, ok := list.(*v1beta1.IPAddressPoolList); ok {
		d.then()
	}
	return err
}

// What was read before a term began is not put in force in it.
func TestConfigurationOfBefore(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
	c.settle()
	c.a.setTerm(nil)
	cached := c.a.client
	c.a.client = delayed{cached, func() {
		c.a.client = cached
		c.create(poolObject("iron", "198.51.100.0/31"))
		next, _, err := c.a.newTerm(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.a.setTerm(next)
	}}
	c.do(task{})
	if got := len(c.a.term.pools); got != 2 {
		t.Errorf("%d pools in force, want 2", got)
	}
}

// A Service that the live list knows, but the cache does not yet, is not gone.
func TestCacheBehindAtStart(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/31"))
	c.create(serviceNamed("a"))
	c.settle()
	c.cache = map[client.ObjectKey]*corev1.Service{}
	c.begin()
	k := client.ObjectKey{Namespace: "default", Name: "a"}
	c.work(k)
	if c.a.term.book.entries["default/a"] == nil || !c.queue[k] {
		t.Error("released")
	}
	c.remove(serviceNamed("a"))
	c.work(k)
	if c.a.term.book.entries["default/a"] != nil {
		t.Error("kept though it is gone")
	}
}
