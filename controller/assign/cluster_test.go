package assign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

var errInjected = errors.New("injected")

// A cluster is an API server, a cache of Services that lags behind it, and an
// assigner whose queues are worked on by hand.
type cluster struct {
	t   *testing.T
	api client.WithWatch
	// versions are the resource versions that api shows.
	versions *versions
	a        *assigner
	now      time.Time
	cache    map[client.ObjectKey]*corev1.Service
	queue    map[client.ObjectKey]bool
	tasks    map[task]bool
	// later are the tasks that come again by the clock, and when.
	later map[task]time.Time
	// events are all that were told, as "object reason: note".
	events []string
	// writes are the status writes that the API server took.
	writes int
	// fault is asked before each status write; late faults come after it.
	fault func() (err error, late bool)
	// wrote is called with each Service before and after a write.
	wrote func(before, after *corev1.Service)
}

// newCluster returns a cluster with some objects, and a term begun.
func newCluster(t *testing.T, objs ...client.Object) *cluster {
	t.Helper()
	c := &cluster{
		t: t, now: time.Unix(1e9, 0), cache: map[client.ObjectKey]*corev1.Service{},
		fault: func() (error, bool) { return nil, false },
		wrote: func(_, _ *corev1.Service) {}, versions: newVersions(),
	}
	funcs := c.versions.funcs()
	funcs.SubResourcePatch = c.patch
	c.api = fake.NewClientBuilder().WithScheme(kube.Scheme()).WithRESTMapper(kube.Mapper()).
		WithIndex(&corev1.Service{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
		WithStatusSubresource(&corev1.Service{}, &v1beta1.IPAddressPool{}, &v1beta1.L2Advertisement{}).
		WithInterceptorFuncs(funcs).Build()
	c.create(&corev1.Namespace{ObjectMeta: objectMeta("", "default")})
	c.create(objs...)
	c.sync()
	c.begin()
	return c
}

// patch is how status writes get through, or not.
func (c *cluster) patch(ctx context.Context, cl client.Client, sub string, obj client.Object, p client.Patch, o ...client.SubResourcePatchOption) error {
	err, late := c.fault()
	if err != nil && !late {
		return err
	}
	var before corev1.Service
	s, isService := obj.(*corev1.Service)
	if isService {
		if err := cl.Get(ctx, client.ObjectKeyFromObject(obj), &before); err != nil {
			return err
		}
	}
	if err := c.versions.patch(ctx, cl, sub, obj, p, o...); err != nil {
		return err
	}
	c.writes++
	if isService {
		c.wrote(&before, s)
	}
	return err
}

// begin starts a new process, and a term in it.
func (c *cluster) begin() {
	c.t.Helper()
	c.queue, c.tasks, c.later = map[client.ObjectKey]bool{}, map[task]bool{}, map[task]time.Time{}
	c.a = &assigner{
		client: lagging{c.api, c}, live: c.api, events: recording{c}, logger: log.NewNopLogger(),
		namespace: v1beta1.Namespace, class: v1beta1.ClassHerald, metrics: newMetrics(prometheus.NewRegistry()),
		now:      func() time.Time { return c.now },
		services: func(k client.ObjectKey) { c.queue[k] = true },
		tasks:    func(k task) { c.tasks[k] = true },
	}
	term, keys, err := c.a.newTerm(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	c.a.setTerm(term)
	for _, k := range keys {
		c.queue[k] = true
	}
	c.a.enqueueCached(c.t.Context())
}

// create creates objects, as a user would.
func (c *cluster) create(objs ...client.Object) {
	c.t.Helper()
	for _, o := range objs {
		o.SetResourceVersion("")
		if o.GetUID() == "" {
			o.SetUID(types.UID(fmt.Sprint(o.GetName(), "-", c.now.UnixNano())))
		}
		if err := c.api.Create(c.t.Context(), o); err != nil {
			c.t.Fatal(err)
		}
		c.told(o)
	}
}

// told enqueues what news of an object other than a Service lead to.
func (c *cluster) told(o client.Object) {
	switch o.(type) {
	case *corev1.Service:
	case *corev1.Namespace:
		if c.tasks != nil {
			c.tasks[task{kindNamespace, o.GetName()}] = true
		}
	default:
		if c.tasks != nil {
			c.tasks[task{}] = true
		}
	}
}

// update changes an object, as a user would, and raises its generation.
func (c *cluster) update(o client.Object, edit func()) {
	c.t.Helper()
	if err := c.api.Get(c.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		c.t.Fatal(err)
	}
	edit()
	o.SetGeneration(o.GetGeneration() + 1)
	if err := c.api.Update(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
	c.told(o)
}

// remove deletes an object.
func (c *cluster) remove(o client.Object) {
	c.t.Helper()
	if err := c.api.Delete(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
	c.told(o)
}

// live returns the Services of the API server by key.
func (c *cluster) live() map[client.ObjectKey]*corev1.Service {
	c.t.Helper()
	var l corev1.ServiceList
	if err := c.api.List(c.t.Context(), &l); err != nil {
		c.t.Fatal(err)
	}
	out := map[client.ObjectKey]*corev1.Service{}
	for i := range l.Items {
		out[client.ObjectKeyFromObject(&l.Items[i])] = &l.Items[i]
	}
	return out
}

// syncOne brings one Service in the cache up to date, and enqueues it.
func (c *cluster) syncOne(k client.ObjectKey, now *corev1.Service) {
	old := c.cache[k]
	switch {
	case now == nil && old == nil:
		return
	case now == nil:
		delete(c.cache, k)
	case old != nil && old.UID == now.UID && old.ResourceVersion == now.ResourceVersion:
		return
	default:
		c.cache[k] = now
	}
	if c.queue != nil {
		c.queue[k] = true
	}
}

// sync brings the cache up to date.
func (c *cluster) sync() {
	live := c.live()
	for k := range c.cache {
		c.syncOne(k, live[k])
	}
	for k, s := range live {
		c.syncOne(k, s)
	}
}

// work does one thing from a queue. What fails is enqueued again.
func (c *cluster) work(k client.ObjectKey) {
	delete(c.queue, k)
	result, err := c.a.reconcileService(c.t.Context(), k)
	if err != nil || result.RequeueAfter > 0 {
		c.queue[k] = true
	}
}

func (c *cluster) do(k task) {
	delete(c.tasks, k)
	result, err := c.a.reconcileTask(c.t.Context(), k)
	switch {
	case err != nil:
		c.tasks[k] = true
	case result.RequeueAfter > 0:
		c.later[k] = c.now.Add(result.RequeueAfter)
	}
}

// settle lets everything happen that is due, until nothing is.
func (c *cluster) settle() {
	c.t.Helper()
	for range 200 {
		c.sync()
		c.a.term.follow(c.a)
		for k, at := range c.later {
			if !c.now.Before(at) {
				delete(c.later, k)
				c.tasks[k] = true
			}
		}
		if len(c.queue) == 0 && len(c.tasks) == 0 {
			return
		}
		for _, k := range slices.SortedFunc(maps.Keys(c.tasks), func(x, y task) int { return strings.Compare(x.kind+x.name, y.kind+y.name) }) {
			c.do(k)
		}
		for _, k := range slices.SortedFunc(maps.Keys(c.queue), compareKeys) {
			c.work(k)
		}
	}
	c.t.Fatal("never settles")
}

// pass lets time pass, in steps short enough for everything that is due.
func (c *cluster) pass(d time.Duration) {
	c.t.Helper()
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(min(time.Second, end.Sub(c.now)))
		c.settle()
	}
}

// lagging reads Services from the cluster's cache.
type lagging struct {
	client.Client
	c *cluster
}

func (l lagging) Get(ctx context.Context, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	s, ok := o.(*corev1.Service)
	if !ok {
		return l.Client.Get(ctx, k, o, opts...)
	}
	cached := l.c.cache[k]
	if cached == nil {
		return apierrors.NewNotFound(corev1.Resource("services"), k.Name)
	}
	cached.DeepCopyInto(s)
	return nil
}

func (l lagging) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	s, ok := list.(*corev1.ServiceList)
	if !ok {
		return l.Client.List(ctx, list, slices.DeleteFunc(slices.Clone(opts), func(o client.ListOption) bool {
			return o == client.ListOption(client.UnsafeDisableDeepCopy)
		})...)
	}
	for _, cached := range l.c.cache {
		s.Items = append(s.Items, *cached.DeepCopy())
	}
	return nil
}

// recording keeps events.
type recording struct{ c *cluster }

func (r recording) tell(o client.Object, e kube.Event) {
	r.c.events = append(r.c.events, fmt.Sprintf("%s %s: %s", o.GetName(), e.Reason, e.Note))
}

func compareKeys(x, y client.ObjectKey) int { return strings.Compare(x.String(), y.String()) }
