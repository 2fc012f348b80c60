package kube

import (
	"context"
	"fmt"

	"github.com/go-kit/log"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// A Feed tells a store of the objects of one kind, for who needs so little of
// each that a cache of them would be mostly waste. It waits for the API server
// for as long as it takes, and logs that for itself.
type Feed struct {
	reflector *toolscache.Reflector
	store     *syncedStore
}

// NewFeed returns a feed of the objects of obj's kind, which list can hold, in
// all namespaces. What the store is given is its own; of an object that went
// while nobody watched, the store sees that it is not in a Replace.
func NewFeed(mgr manager.Manager, l log.Logger, obj client.Object, list client.ObjectList, store toolscache.ReflectorStore) (*Feed, error) {
	c, err := client.NewWithWatch(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, fmt.Errorf("client for %T: %w", obj, err)
	}
	return newFeed(c, l, obj, list, store), nil
}

func newFeed(c client.WithWatch, l log.Logger, obj client.Object, list client.ObjectList, store toolscache.ReflectorStore) *Feed {
	lw := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			into := list.DeepCopyObject().(client.ObjectList)
			// The client has these two from its own options alone.
			err := c.List(ctx, into, &client.ListOptions{Raw: &o, Limit: o.Limit, Continue: o.Continue})
			return into, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, list, &client.ListOptions{Raw: &o})
		},
	}
	p := &patient{
		lw: lw, trimService: Options{}.trimService,
		outage: &outage{logger: log.With(l, "feed", fmt.Sprintf("%T", obj))},
	}
	s := &syncedStore{ReflectorStore: store, synced: make(chan struct{})}
	return &Feed{store: s, reflector: toolscache.NewReflectorWithOptions(p.source(obj), obj, s, toolscache.ReflectorOptions{Name: "feed"})}
}

// Run feeds the store until ctx ends.
func (f *Feed) Run(ctx context.Context) { f.reflector.RunWithContext(ctx) }

// Synced is closed once the store has been told of all that there is.
func (f *Feed) Synced() <-chan struct{} { return f.store.synced }

// A syncedStore tells when there was a first Replace. The reflector calls it
// from one goroutine.
type syncedStore struct {
	toolscache.ReflectorStore
	synced chan struct{}
	done   bool
}

// Replace implements toolscache.ReflectorStore.
func (s *syncedStore) Replace(objs []any, version string) error {
	if err := s.ReflectorStore.Replace(objs, version); err != nil {
		return err
	}
	if !s.done {
		s.done = true
		close(s.synced)
	}
	return nil
}
