package assign

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// A replica that was cut off replays what happened meanwhile when its term has
// begun: Services of a name that came and went. None of them costs the one that
// has the name now its address.
func TestCacheReplaysAtStart(t *testing.T) {
	c := newCluster(t, poolObject("gold", "192.0.2.0/30"))
	c.create(serviceNamed("a"))
	c.settle()
	now := c.live()[client.ObjectKey{Namespace: "default", Name: "a"}].DeepCopy()
	now.ResourceVersion = "100"
	c.a.term.book.snapshot = "200"
	e := c.a.term.book.entries["default/a"]
	e.request, e.confirmed = newRequest(now), false // as a term begins
	held := e.uid

	then := now.DeepCopy()
	then.UID, then.ResourceVersion = types.UID("earlier"), "50"
	other := then.DeepCopy()
	other.Spec.Type = corev1.ServiceTypeClusterIP
	gone := then.DeepCopy()
	gone.Name = "b"
	for _, s := range []*corev1.Service{then, other, gone} {
		k := client.ObjectKeyFromObject(s)
		c.cache[k] = s
		c.work(k)
		delete(c.cache, k)
	}
	c.work(client.ObjectKey{Namespace: "default", Name: "a"})
	book := c.a.term.book
	if e := book.entries["default/a"]; e == nil || e.uid != held || len(book.alloc.Holdings("default/a")) != 1 {
		t.Errorf("entry %+v, want that of the Service that has the name now, with its address", e)
	}
	if book.entries["default/b"] != nil {
		t.Error("a Service that was gone has come back")
	}
}

// Waiting for a cache that does not catch up costs the API server little.
func TestAwaitCacheLooksRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		cached := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).Build()
		live := interceptor.NewClient(fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).
			WithObjects(poolObject("gold", "192.0.2.0/24")).Build(), interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
				if _, ok := l.(*corev1.NamespaceList); ok {
					looks++
				}
				return c.List(ctx, l, opts...)
			},
		})
		a := &assigner{client: cached, live: live, namespace: v1beta1.Namespace}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := a.awaitCache(ctx); err == nil {
			t.Error("a pool that the cache lacks was not waited for")
		}
		if looks < 60 || looks > 66 {
			t.Errorf("%d looks in a minute, want about one a second", looks)
		}
	})
}

// A term waits for a cache that is behind in what the configuration says.
func TestAwaitCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := func(objs ...client.Object) client.Client {
			return fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).WithObjects(objs...).Build()
		}
		live := build()
		if err := live.Create(t.Context(), poolObject("gold", "192.0.2.0/24")); err != nil {
			t.Fatal(err)
		}
		cached := build(poolObject("tin", "198.51.100.0/24"))
		a := &assigner{client: cached, live: live, namespace: v1beta1.Namespace}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.awaitCache(ctx); err == nil {
			t.Error("a pool that the cache lacks was not waited for")
		}

		go func() {
			<-time.After(time.Second)
			_ = cached.Create(t.Context(), poolObject("gold", "192.0.2.0/24"))
			<-time.After(time.Second)
			_ = cached.Delete(t.Context(), poolObject("tin", "198.51.100.0/24"))
		}()
		began := time.Now()
		if err := a.awaitCache(t.Context()); err != nil || time.Since(began) < 2*time.Second {
			t.Errorf("waited %v: %v; want until the cache had caught up", time.Since(began), err)
		}
	})
}
