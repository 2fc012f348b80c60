package watch

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/speaker/desired"
)

// fakeMembers is Members by hand.
type fakeMembers struct {
	mu       sync.Mutex
	alive    map[string]bool
	keys     []string
	peers    []Peer
	left     bool
	claims   *desired.Claims
	peerLink map[string][]desired.Link
	changedC chan struct{}
	settledC chan struct{}
}

func newFakeMembers(alive ...string) *fakeMembers {
	m := &fakeMembers{changedC: make(chan struct{}, 1), settledC: make(chan struct{})}
	m.set(alive...)
	return m
}

func (m *fakeMembers) set(alive ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alive = map[string]bool{}
	for _, a := range alive {
		m.alive[a] = true
	}
	hurry(m.changedC)
}

func (m *fakeMembers) SetPeers(p []Peer) { m.peers = p }
func (m *fakeMembers) SetKey(k []byte) error {
	m.keys = append(m.keys, string(k))
	return nil
}
func (m *fakeMembers) Alive() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive
}
func (m *fakeMembers) Present() map[string]bool         { return m.Alive() }
func (m *fakeMembers) Changed() <-chan struct{}         { return m.changedC }
func (m *fakeMembers) SetLinks([]desired.Link)          {}
func (m *fakeMembers) Forget(func(netip.Addr) bool)     {}
func (m *fakeMembers) Links() map[string][]desired.Link { return m.peerLink }

func (m *fakeMembers) Claim(claims []desired.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims = m.claims.With(claims...)
}

func (m *fakeMembers) Claims() *desired.Claims {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims
}

func (m *fakeMembers) Settled() <-chan struct{}  { return m.settledC }
func (m *fakeMembers) Leave(time.Duration) error { m.left = true; return nil }

// fakeSentry is a Sentry by hand.
type fakeSentry struct{ members map[string]netip.Addr }

func (s *fakeSentry) SetMembers(m map[string]netip.Addr) { s.members = m }

// fakeLayer2 is Layer2 by hand.
type fakeLayer2 struct {
	mu      sync.Mutex
	set     []desired.Layer2Address
	sets    int
	err     error
	drained bool
	seenC   chan Conflict

	changedC chan struct{}
}

func (l *fakeLayer2) NextConflict(ctx context.Context) (Conflict, bool) {
	select {
	case c := <-l.seenC:
		return c, true
	case <-ctx.Done():
		return Conflict{}, false
	}
}

func (l *fakeLayer2) Set(_ context.Context, want []desired.Layer2Address) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set, l.sets = want, l.sets+1
	return l.err
}

func (l *fakeLayer2) SetFellows(map[[6]byte]string) {}
func (l *fakeLayer2) Changed() <-chan struct{}      { return l.changedC }

func (l *fakeLayer2) Drain(ctx context.Context) error {
	l.drained = true
	<-ctx.Done()
	return ctx.Err()
}

func (l *fakeLayer2) Led() []Led {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Led
	for _, a := range l.set {
		out = append(out, Led{Address: a.Address, Interfaces: a.Interfaces})
	}
	return out
}

// announced returns the addresses of the last Set.
func (l *fakeLayer2) announced() string {
	var out []string
	for _, a := range l.Led() {
		out = append(out, a.Address.String())
	}
	return strings.Join(out, " ")
}

// A bench is a World with everything around it by hand.
type bench struct {
	*World
	api     *api
	members *fakeMembers
	layer2  *fakeLayer2
	sentry  *fakeSentry
	bgp     *fakeBGP
	links   []desired.Link
}

// newBench returns a World on node a of a cluster with two nodes, one Service
// and everything that it takes to announce it, and more objects.
func newBench(t testing.TB, more ...client.Object) *bench {
	t.Helper()
	service := lb("web", "", "192.0.2.1")
	endpoints := slice("web", "web-1", "", on("b", yes, nil, nil))
	speakers := slice(kube.SpeakerService, "speakers", "", speakerAt("a", yes, "10.0.0.1"), speakerAt("b", yes, "10.0.0.2"))
	speakers.Namespace = "herald-system"
	objects := append([]client.Object{
		&service, &endpoints, &speakers, secret("one"), node("a"), node("b"),
		&v1beta1.IPAddressPool{
			ObjectMeta: metav1.ObjectMeta{Name: "pool"},
			Spec:       v1beta1.IPAddressPoolSpec{Addresses: []string{"192.0.2.0/24"}},
		},
		&v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}},
	}, more...)
	for _, o := range objects {
		if n, ok := o.(*corev1.Node); ok {
			n.UID = types.UID("uid-of-" + n.Name)
		}
	}
	b := &bench{api: newAPI(t, objects...), members: newFakeMembers("a"), layer2: &fakeLayer2{}, sentry: &fakeSentry{}, bgp: newFakeBGP(), links: linksOf("up")}
	b.World = New(Config{
		Node: "a", Namespace: "herald-system", Class: v1beta1.ClassHerald,
		GossipAddress: netip.MustParseAddr("10.0.0.1"),
		Members:       b.members, Layer2: b.layer2, Sentry: b.sentry, BGP: b.bgp,
		Links:      func() ([]desired.Link, error) { return b.links, nil },
		WatchLinks: func(ctx context.Context, _ chan<- struct{}) error { <-ctx.Done(); return nil },
		Logger:     log.NewNopLogger(), Registerer: prometheus.NewRegistry(),
	})
	b.cluster = b.api
	b.api.heard = b.hear
	for _, o := range objects {
		if ep, ok := o.(*discoveryv1.EndpointSlice); ok {
			b.hear(ep, false)
		}
	}
	b.publisher = newPublisher(b.World, b.api, &recorder{})
	close(b.members.settledC)
	return b
}

func secret(key string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: kube.MemberlistSecret},
		Data:       map[string][]byte{kube.MemberlistKey: []byte(key)},
	}
}

// hear has the World hear of an object that has changed, or was deleted.
func (b *bench) hear(o client.Object, deleted bool) {
	switch o.(type) {
	case *corev1.Service:
		b.heardOfService(context.Background(), o)
	case *discoveryv1.EndpointSlice:
		tell := b.backends.Update
		if deleted {
			tell = b.backends.Delete
		}
		if err := tell(o); err != nil {
			panic(err)
		}
	}
}

// reconcile makes a pass and returns when the next one is to be made.
func (b *bench) reconcile(t *testing.T) time.Duration {
	t.Helper()
	res, err := b.Reconcile(t.Context(), world)
	if err != nil {
		t.Fatal(err)
	}
	return res.RequeueAfter
}

// expect fails the test unless the addresses are announced.
func (b *bench) expect(t *testing.T, when, want string) {
	t.Helper()
	if got := b.layer2.announced(); got != want {
		t.Errorf("%s: announced %q, want %q", when, got, want)
	}
}

func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if next := b.reconcile(t); next != steadyAfter {
			t.Errorf("next pass after %v, want %v", next, steadyAfter)
		}
		b.expect(t, "alone", "192.0.2.1")
		elapse(steadyAfter)
		if next := b.reconcile(t); next != 0 {
			t.Errorf("next pass after %v, want none", next)
		}
		want := []Peer{{"a", netip.MustParseAddr("10.0.0.1")}, {"b", netip.MustParseAddr("10.0.0.2")}}
		if diff := cmp.Diff(want, b.members.peers, compareAddrs); diff != "" {
			t.Errorf("peers (-want +got):\n%s", diff)
		}
		if err := b.Ready(nil); err != nil {
			t.Errorf("not ready: %v", err)
		}
		r := b.publisher.latest.Load()
		if r == nil || r.status.Summary.Layer2Addresses != 1 || r.services["default/web"].Name != "web" {
			t.Errorf("report = %+v", r)
		}

		// A new Service comes.
		s := lb("db", "", "192.0.2.2")
		if err := b.api.Create(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
		ep := slice("db", "db-1", "", on("a", no, yes, yes))
		if err := b.api.Create(t.Context(), &ep); err != nil {
			t.Fatal(err)
		}
		b.reconcile(t)
		b.expect(t, "a new Service", "192.0.2.1 192.0.2.2")

		// The key changes; then the Secret is gone, which changes nothing.
		now := secret("two")
		if err := b.api.Update(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		b.reconcile(t)
		if err := b.api.Delete(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		b.reconcile(t)
		if diff := cmp.Diff([]string{"one", "two"}, b.members.keys); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		b.expect(t, "without Secret", "192.0.2.1 192.0.2.2")
	})
}

// Nothing is announced before the key is known and the others were looked for.
func TestPassWaitsAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.members.settledC = make(chan struct{})
		gone := secret("one")
		if err := b.api.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		if err := b.Ready(nil); err == nil || err.Error() != "reading the cluster" {
			t.Errorf("readiness = %v", err)
		}
		if next := b.reconcile(t); next == 0 {
			t.Error("no pass will look for the key")
		}
		if err := b.Ready(nil); err == nil || !strings.Contains(err.Error(), "secret herald-system/herald-memberlist") {
			t.Errorf("readiness = %v", err)
		}
		if err := b.Live(nil); err != nil {
			t.Errorf("not alive: %v", err)
		}

		if err := b.api.Create(t.Context(), secret("one")); err != nil {
			t.Fatal(err)
		}
		next := b.reconcile(t)
		if next != settleLimit || b.layer2.sets != 0 {
			t.Errorf("next pass after %v, %d sets; want %v, none", next, b.layer2.sets, settleLimit)
		}
		elapse(next)
		b.reconcile(t)
		b.expect(t, "nobody answered", "192.0.2.1")
	})
}

// What cannot be read or done takes nothing away, and is tried again.
func TestPassFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.reconcile(t)
		elapse(steadyAfter)

		b.cluster = failing{b.api}
		b.configStale.Store(true)
		var waits []time.Duration
		for range 8 {
			waits = append(waits, b.reconcile(t))
		}
		const ms = time.Millisecond
		want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		if b.layer2.sets != 1 {
			t.Errorf("%d sets, want 1", b.layer2.sets)
		}
		b.expect(t, "unreadable", "192.0.2.1")

		b.cluster = b.api
		b.layer2.err = errors.New("permission denied")
		if next := b.reconcile(t); next == 0 {
			t.Error("a set that failed is not tried again")
		}
		b.layer2.err = nil
		if next := b.reconcile(t); next != 0 {
			t.Errorf("next pass after %v, want none", next)
		}
	})
}

// failing is a reader that fails.
type failing struct{ client.Reader }

func (failing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("no")
}

// A node that was cut off holds new addresses back when its cable is put back,
// until it has learned that the others have a better right to them.
func TestPassHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := lb("more", "", "192.0.2.7")
		ep := slice("more", "more-1", "", on("b", yes, nil, nil))
		b := newBench(t, &more, &ep)
		b.members.set("a", "b")
		b.reconcile(t)
		own := b.layer2.announced()
		if own != "192.0.2.1" && own != "192.0.2.7" {
			t.Fatalf("announced %q: want one of two, choose other addresses", own)
		}

		b.links = linksOf("none")
		b.linksStale.Store(true)
		b.reconcile(t)
		b.expect(t, "no link", "")
		b.members.set("a")
		b.reconcile(t)

		b.links = linksOf("up")
		b.linksStale.Store(true)
		if next := b.reconcile(t); next != returnHold {
			t.Errorf("next pass after %v, want %v", next, returnHold)
		}
		b.expect(t, "link is back", "")
		elapse(200 * time.Millisecond)
		b.members.set("a", "b")
		next := b.reconcile(t)
		b.expect(t, "the other is back", "")
		for _, addr := range []string{"192.0.2.1", "192.0.2.7"} {
			c := b.members.Claims().Of(netip.MustParseAddr(addr))
			if c.Node != "a" || !c.Weak {
				t.Errorf("claim = %+v, want a weak one of node a", c)
			}
			b.members.Claim([]desired.Claim{{Address: c.Address, Node: "b", Epoch: c.Epoch + 1}})
		}
		elapse(next)
		b.reconcile(t)
		b.expect(t, "after it has settled", "")
	})
}

// A node that is not Ready gives its addresses away, and answers for them until
// they have been taken.
func TestPassHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.reconcile(t)
		b.members.set("a", "b")
		b.reconcile(t)
		b.expect(t, "it was here first", "192.0.2.1")
		if len(b.sentry.members) != 2 {
			t.Errorf("members to be watched = %v, want two", b.sentry.members)
		}

		if err := b.api.Status().Update(t.Context(), node("a", readiness(corev1.ConditionUnknown))); err != nil {
			t.Fatal(err)
		}
		next := b.reconcile(t)
		b.expect(t, "not taken yet", "192.0.2.1")
		if !b.layer2.set[0].Yield || next != drainTimeout {
			t.Errorf("yields %t, next pass after %v; want true, %v", b.layer2.set[0].Yield, next, drainTimeout)
		}
		addr := netip.MustParseAddr("192.0.2.1")
		if c := b.members.Claims().Of(addr); c.Node != "b" || c.Epoch != 2 {
			t.Errorf("claim = %+v, want node b in epoch 2", c)
		}
		b.layer2.set = nil // taken
		b.reconcile(t)
		b.expect(t, "taken", "")
	})
}

func TestDrain(t *testing.T) {
	tests := []struct {
		name    string
		alive   []string
		service bool
		waits   bool
	}{
		{"a successor is there", []string{"a", "b"}, true, true},
		{"nobody else is alive", []string{"a"}, true, false},
		{"nothing is announced", []string{"a", "b"}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.members.set(tt.alive...)
				b.reconcile(t)
				b.layer2.set = nil
				if tt.service {
					b.layer2.set = winning("a")
				}
				began := time.Now()
				err := b.Drain(t.Context())
				if waited := time.Since(began) == drainTimeout; waited != tt.waits || (err != nil) != tt.waits {
					t.Errorf("drained in %v with %v", time.Since(began), err)
				}
				if !b.members.left || b.layer2.drained != tt.waits {
					t.Errorf("left %t, drained %t", b.members.left, b.layer2.drained)
				}
				sets := b.layer2.sets
				b.reconcile(t)
				if b.layer2.sets != sets {
					t.Error("a pass was made after Drain")
				}
			})
		})
	}
}

// Passes follow one another at once when there is little to do, and rest after
// those that cost much, but not when a member comes or goes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		dear := paceCredit + paceMost
		b.budget.spend(time.Now().Add(-dear), dear)
		began := time.Now()
		b.reconcile(t)
		if d := time.Since(began); d != paceMost {
			t.Errorf("waited %v, want %v", d, paceMost)
		}
		b.budget.spend(time.Now().Add(-dear), dear)
		hurry(b.urgentC)
		began = time.Now()
		b.reconcile(t)
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v in a hurry, want not at all", d)
		}
	})
}

// Every signal asks for a pass, and nothing goes on when the context ends: the
// bubble does not end before its last goroutine.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.layer2.seenC, b.layer2.changedC = make(chan Conflict), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		defer q.ShutDown()
		if err := b.followMembers(ctx, q); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- b.followLinks(ctx) }()

		asked := func(what string) {
			t.Helper()
			synctest.Wait()
			if q.Len() != 1 {
				t.Fatalf("%s: %d passes asked for, want 1", what, q.Len())
			}
			r, _ := q.Get()
			q.Done(r)
		}
		asked("start") // Settled, and the members of the bench
		b.members.set("a", "b")
		asked("members")
		b.linksStale.Store(false)
		hurry(b.linksC)
		asked("links")
		if len(b.urgentC) == 0 {
			t.Error("no hurry when a link changes")
		}
		if !b.linksStale.Load() {
			t.Error("links are not stale")
		}
		b.layer2.seenC <- Conflict{Address: netip.MustParseAddr("192.0.2.1"), MAC: "x", At: time.Now()}
		asked("conflict")
		later := func(what string) {
			t.Helper()
			if synctest.Wait(); q.Len() != 0 {
				t.Errorf("%s: a pass at once", what)
			}
			<-time.After(gather)
			asked(what)
		}
		b.layer2.changedC <- struct{}{}
		later("taken")
		claimed := func(node string, epoch uint64) {
			b.members.Claim([]desired.Claim{{Address: netip.MustParseAddr("192.0.2.1"), Node: node, Epoch: epoch}})
			hurry(b.members.changedC)
		}
		claimed("b", 1)
		later("claimed by another for itself")
		claimed("a", 2)
		asked("claimed for this node")
		claimed("b", 3)
		asked("claimed from this node")

		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPredicates(t *testing.T) {
	b := newBench(t)
	b.reconcile(t)
	concerned := lb("web", "1", "192.0.2.1")
	other := lb("plain", "1", "192.0.2.9")
	other.Spec.Type = corev1.ServiceTypeClusterIP
	annotated := lb("web", "2", "192.0.2.1")
	annotated.Annotations = map[string]string{"x": "y"}
	moved := lb("web", "3", "192.0.2.3")
	beat := node("a", func(n *corev1.Node) {
		n.Status.Conditions[0].LastHeartbeatTime = metav1.Now()
		n.Annotations = map[string]string{"x": "y"}
	})

	services, hosts := b.services(), nodes()
	tests := []struct {
		name      string
		got, want bool
	}{
		{"a Service of ours is new", services.Create(create(&concerned)), true},
		{"another Service is new", services.Create(create(&other)), false},
		{"only an annotation", services.Update(change(&concerned, &annotated)), false},
		{"another address", services.Update(change(&concerned, &moved)), true},
		{"it becomes one of ours", services.Update(change(&other, &concerned)), true},
		{"it is one of ours no more", services.Update(change(&concerned, &other)), true},
		{"backends of a Service of ours", b.heardOfBackends(named("web")), true},
		{"backends of another", b.heardOfBackends(named("plain")), false},
		{"backends of the speakers", b.heardOfBackends(b.serviceName()), true},
		{"heartbeat", hosts.Update(change(node("a"), beat)), false},
		{"not ready", hosts.Update(change(node("a"), node("a", readiness(corev1.ConditionFalse)))), true},
		{"excluded", hosts.Update(change(node("a"), node("a", excluded))), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("let through: %t, want %t", tt.got, tt.want)
			}
		})
	}
}

func create(o client.Object) event.CreateEvent { return event.CreateEvent{Object: o} }

func change(was, is client.Object) event.UpdateEvent {
	return event.UpdateEvent{ObjectOld: was, ObjectNew: is}
}
