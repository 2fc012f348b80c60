package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/speaker/desired"
)

// An api is a fake API server that counts writes and can be away.
type api struct {
	client.WithWatch
	writes atomic.Int32
	away   atomic.Bool
	// heard is told of each object that was written or deleted, as a cache tells
	// of it.
	heard func(o client.Object, deleted bool)
}

// newAPI returns an API with objects.
func newAPI(t testing.TB, objects ...client.Object) *api {
	t.Helper()
	a := &api{heard: func(client.Object, bool) {}}
	count := func() error {
		if a.away.Load() {
			return errors.New("no route to host")
		}
		a.writes.Add(1)
		return nil
	}
	tell := func(o client.Object, deleted bool, err error) error {
		if err == nil {
			a.heard(o, deleted)
		}
		return err
	}
	a.WithWatch = fake.NewClientBuilder().WithScheme(kube.Scheme()).
		WithObjects(objects...).WithStatusSubresource(&v1beta1.SpeakerStatus{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				return errors.Join(count(), ifFine(a, func() error { return tell(o, false, c.Create(ctx, o, opts...)) }))
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				return errors.Join(count(), ifFine(a, func() error { return tell(o, false, c.Update(ctx, o, opts...)) }))
			},
			Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
				return tell(o, true, c.Delete(ctx, o, opts...))
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
				return errors.Join(count(), ifFine(a, func() error { return c.SubResource(sub).Update(ctx, o, opts...) }))
			},
		}).Build()
	return a
}

// ifFine calls do unless the API is away.
func ifFine(a *api, do func() error) error {
	if a.away.Load() {
		return nil
	}
	return do()
}

// status returns the SpeakerStatus of a node.
func (a *api) status(t *testing.T, node string) *v1beta1.SpeakerStatus {
	t.Helper()
	s := &v1beta1.SpeakerStatus{}
	if err := a.Get(t.Context(), client.ObjectKey{Name: node}, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A recorder keeps the events, all but the first refusals.
type recorder struct {
	mu       sync.Mutex
	refusals int
	events   []string
}

func (r *recorder) Write(_ context.Context, e kube.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusals > 0 {
		r.refusals--
		return errors.New("refused")
	}
	r.events = append(r.events, fmt.Sprintf("%s/%s %s %s: %s", e.Regarding.Namespace, e.Regarding.Name, e.Type, e.Reason, e.Note))
	return nil
}

// count returns how many events there are.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// elapse lets time go by in a bubble, and all that it brings about happen.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// leading returns a report of a node that answers for addresses, each of the
// Service default/ADDRESS.
func leading(ips ...string) *report {
	t := telling{
		node: "a", uid: "node-uid", generation: "c0ffee", alive: map[string]bool{"a": true, "b": true},
		ref: func(key string) (corev1.ObjectReference, bool) {
			return corev1.ObjectReference{Kind: "Service", Namespace: "default", Name: key[len("default/"):]}, true
		},
	}
	for _, ip := range ips {
		addr := netip.MustParseAddr(ip)
		t.led = append(t.led, Led{Address: addr, Interfaces: []string{"eth0"}, Since: time.Unix(1000, 500)})
		t.announced = append(t.announced, desired.Layer2Address{
			Address: addr, Interfaces: []string{"eth0"}, Services: []string{"default/" + ip}, Cause: desired.Placed,
		})
	}
	return reportOf(t)
}

// startPublisher starts a publisher that ends with the test's bubble.
func startPublisher(t *testing.T, a *api) (*publisher, *recorder, func()) {
	t.Helper()
	r := &recorder{}
	w := &World{Config: Config{Node: "a", Logger: log.NewNopLogger()}, metrics: newMetrics(prometheus.NewRegistry())}
	p := newPublisher(w, a, r)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Start(ctx) }()
	return p, r, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPublisherWritesStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		p, _, stop := startPublisher(t, a)
		defer stop()

		p.publish(leading("192.0.2.1"))
		synctest.Wait()
		got := a.status(t, "a")
		want := &v1beta1.SpeakerStatus{
			ObjectMeta: metav1.ObjectMeta{
				Name:            "a",
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "a", UID: "node-uid"}},
			},
			Status: v1beta1.SpeakerStatusStatus{
				Node: "a", ConfigGeneration: "c0ffee",
				Summary: v1beta1.SpeakerSummary{Members: 2, Layer2Addresses: 1},
				Members: []string{"a", "b"},
				Layer2: []v1beta1.Layer2Status{{
					Address: "192.0.2.1", Interfaces: []string{"eth0"}, Services: []string{"default/192.0.2.1"}, Cause: "Placed",
					Since: metav1.NewTime(time.Unix(1000, 0)),
				}},
			},
		}
		ignore := cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ResourceVersion", "CreationTimestamp")
		if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		if n := a.writes.Load(); n != 2 { // one creates it, one writes the status
			t.Errorf("%d writes, want 2", n)
		}

		// The same again is no write; a hundred changes in a second are one.
		elapse(10 * time.Second)
		p.publish(leading("192.0.2.1"))
		synctest.Wait()
		elapse(5 * time.Second)
		for i := range 100 {
			p.publish(leading("192.0.2.1", fmt.Sprintf("192.0.2.%d", i+2)))
			elapse(9 * time.Millisecond)
		}
		elapse(5 * time.Second)
		if n := a.writes.Load(); n > 4 {
			t.Errorf("%d writes, want 4 at most", n)
		}
		if n := len(a.status(t, "a").Status.Layer2); n != 2 {
			t.Errorf("%d addresses in the status, want 2", n)
		}
	})
}

func TestPublisherRestoresAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		p, _, stop := startPublisher(t, a)
		defer stop()

		a.away.Store(true)
		p.publish(leading("192.0.2.1"))
		elapse(10 * time.Minute)
		a.away.Store(false)
		elapse(publishRetry + time.Second)
		s := a.status(t, "a")

		// Somebody deletes it: it is written again before long.
		if err := a.Delete(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		elapse(publishCheck + 2*time.Second)
		if s = a.status(t, "a"); len(s.Status.Layer2) != 1 {
			t.Errorf("%d addresses in the status, want 1", len(s.Status.Layer2))
		}

		p.publish(leading())
		elapse(2 * time.Second)
		if s = a.status(t, "a"); len(s.Status.Layer2) != 0 {
			t.Errorf("addresses %v, want none", s.Status.Layer2)
		}
	})
}

func TestPublisherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Before it was started again, the speaker announced 192.0.2.1.
		before := &v1beta1.SpeakerStatus{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		before.Status.Layer2 = []v1beta1.Layer2Status{{Address: "192.0.2.1", Services: []string{"default/192.0.2.1"}}}
		a := newAPI(t, before)
		p, rec, stop := startPublisher(t, a)

		p.publish(leading("192.0.2.1", "192.0.2.2"))
		elapse(2 * time.Second)
		p.publish(leading("192.0.2.1", "192.0.2.2"))
		elapse(2 * time.Second)
		p.publish(leading("192.0.2.2"))
		elapse(2 * time.Second)
		p.publish(leading("192.0.2.1", "192.0.2.2"))
		elapse(2 * time.Second)
		r := leading("192.0.2.1", "192.0.2.2")
		r.status.Conflicts = []v1beta1.AddressConflict{{Address: "192.0.2.2", MAC: "02:00:00:00:00:09", Interface: "eth0"}}
		r.contested = map[string][]string{"192.0.2.2": {"default/192.0.2.2"}}
		p.publish(r)
		elapse(2 * time.Second)
		p.publish(r)
		elapse(2 * time.Second)
		stop()

		want := []string{
			`default/192.0.2.2 Normal Announcing: node "a" answers for 192.0.2.2 on eth0`,
			`default/192.0.2.1 Normal Announcing: node "a" answers for 192.0.2.1 on eth0`,
			`default/192.0.2.2 Warning AddressConflict: station 02:00:00:00:00:09 claims 192.0.2.2 on eth0, which is for node "a" to answer for`,
		}
		if diff := cmp.Diff(want, rec.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// A takeover of many addresses writes all its events, but not at once.
func TestPublisherEventsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		p, rec, stop := startPublisher(t, a)
		var ips []string
		for i := range 250 {
			ips = append(ips, fmt.Sprintf("192.0.2.%d", i+1))
		}
		rec.refusals = 1
		p.publish(leading(ips...))
		synctest.Wait()
		if n := rec.count(); n != 0 {
			t.Errorf("%d events though they are refused", n)
		}
		elapse(publishGap + 250*time.Millisecond)
		if n := rec.count(); n != noticeBatch {
			t.Errorf("%d events at once, want %d", n, noticeBatch)
		}
		elapse(10 * time.Second)
		stop()
		if n := rec.count(); n != 250 {
			t.Errorf("%d events, want 250", n)
		}
	})
}
