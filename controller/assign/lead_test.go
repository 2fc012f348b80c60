package assign

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// silent drops events.
type silent struct{}

func (silent) tell(client.Object, kube.Event) {}

// pump makes a function that enqueues, and workers that do what is enqueued
// until ctx ends. What must be tried again is enqueued again.
func pump[K comparable](ctx context.Context, wg *sync.WaitGroup, workers int, do func(context.Context, K) (again bool)) func(K) {
	queueC := make(chan K, 4096)
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case k := <-queueC:
					if do(ctx, k) {
						queueC <- k
					}
				}
			}
		})
	}
	return func(k K) { queueC <- k }
}

// Workers side by side give every Service an address of its own; terms follow
// each other without a write, and none acts when its term has ended.
func TestTermsWithManyWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const services = 60
		api := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).
			WithStatusSubresource(&corev1.Service{}, &v1beta1.IPAddressPool{}).
			WithIndex(&corev1.Service{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
			WithObjects(&corev1.Namespace{ObjectMeta: objectMeta("", "default")}, poolObject("gold", "192.0.2.0/26")).Build()
		for i := range services {
			if err := api.Create(t.Context(), serviceNamed(fmt.Sprint("s", i))); err != nil {
				t.Fatal(err)
			}
		}
		a := &assigner{
			client: api, live: api, events: silent{}, logger: log.NewNopLogger(), namespace: v1beta1.Namespace,
			class: v1beta1.ClassHerald, metrics: newMetrics(prometheus.NewRegistry()), now: time.Now,
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		a.services = pump(ctx, &wg, 8, func(ctx context.Context, k client.ObjectKey) bool {
			r, err := a.reconcileService(ctx, k)
			return err != nil || r.RequeueAfter > 0
		})
		a.tasks = pump(ctx, &wg, 2, func(ctx context.Context, k task) bool {
			r, err := a.reconcileTask(ctx, k)
			if r.RequeueAfter > 0 {
				<-time.After(r.RequeueAfter)
			}
			return err != nil || r.RequeueAfter > 0
		})
		before := ""
		for term := range 3 {
			ctx, end := context.WithTimeout(ctx, 10*time.Second)
			a.lead(ctx)
			end()
			if a.term != nil {
				t.Error("acts though its term has ended")
			}
			now := assigned(t, api, services)
			if term > 0 && now != before {
				t.Errorf("term %d wrote: %s, before %s", term, now, before)
			}
			before = now
		}
		stop()
		wg.Wait()
	})
}

// assigned checks that all Services have addresses of their own, and returns
// their versions.
func assigned(t *testing.T, api client.Client, want int) string {
	t.Helper()
	var l corev1.ServiceList
	if err := api.List(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{}
	versions := ""
	for i := range l.Items {
		versions += l.Items[i].ResourceVersion + " "
		for _, addr := range shownAddresses(&l.Items[i]) {
			seen[addr] = true
		}
	}
	if len(seen) != want {
		t.Errorf("%d addresses for %d Services", len(seen), want)
	}
	return versions
}
