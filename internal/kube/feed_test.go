package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A diary is a store that writes down what it is told.
type diary struct {
	mu    sync.Mutex
	lines []string
	toldC chan struct{}
}

func (d *diary) tell(what string, objs ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range objs {
		s := o.(*discoveryv1.EndpointSlice)
		what += fmt.Sprintf(" %s of %s %v", s.Name, s.Labels[discoveryv1.LabelServiceName], s.Endpoints[0].Addresses)
		if s.Ports != nil || s.Endpoints[0].TargetRef != nil {
			return errors.New("not trimmed")
		}
	}
	d.lines = append(d.lines, what)
	d.toldC <- struct{}{}
	return nil
}

func (d *diary) Add(o any) error                    { return d.tell("add", o) }
func (d *diary) Update(o any) error                 { return d.tell("update", o) }
func (d *diary) Delete(o any) error                 { return d.tell("delete", o) }
func (d *diary) Replace(objs []any, _ string) error { return d.tell("replace", objs...) }
func (d *diary) Resync() error                      { return nil }

// A feed waits for an API server that is away, tells of all that there is, is
// synced then, and tells of what changes.
func TestFeed(t *testing.T) {
	slice := func(name, addr string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{addr}}},
		}
	}
	first := slice("one", "10.0.0.1")
	first.Ports = []discoveryv1.EndpointPort{{}}
	first.Endpoints[0].TargetRef = &corev1.ObjectReference{Name: "pod"}
	tries, watchedC := 0, make(chan struct{})
	c := fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(first).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			var o client.ListOptions
			if o.ApplyOptions(opts); o.AsListOptions().Limit != pageSize {
				return fmt.Errorf("asked for %d at once", o.AsListOptions().Limit)
			}
			if tries++; tries == 1 {
				return errors.New("connection refused")
			}
			return c.List(ctx, l)
		},
		Watch: func(ctx context.Context, c client.WithWatch, l client.ObjectList, _ ...client.ListOption) (watch.Interface, error) {
			defer close(watchedC)
			return c.Watch(ctx, l)
		},
	}).Build()
	d := &diary{toldC: make(chan struct{}, 10)}
	f := newFeed(c, log.NewNopLogger(), &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSliceList{}, d)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	await := func(c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-ctx.Done():
			t.Fatal("waited for nothing")
		}
	}
	await(f.Synced())
	await(d.toldC)
	await(watchedC)
	second := slice("two", "10.0.0.2")
	for _, do := range []func() error{
		func() error { return c.Create(ctx, second) },
		func() error { second.Endpoints[0].Addresses[0] = "10.0.0.3"; return c.Update(ctx, second) },
		func() error { return c.Delete(ctx, second) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		await(d.toldC)
	}
	stop()
	<-done
	want := []string{
		"replace one of web [10.0.0.1]", "add two of web [10.0.0.2]", "update two of web [10.0.0.3]", "delete two of web [10.0.0.3]",
	}
	if diff := cmp.Diff(want, d.lines); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
