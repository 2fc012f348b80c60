package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/speaker/desired"
)

// A memory is a cache that holds Services and EndpointSlices by their names. No
// two versions of anything in it are alike.
type memory struct {
	client.Reader
	services  map[string]*corev1.Service
	endpoints map[string]*discoveryv1.EndpointSlice
	version   int
}

func (m *memory) Get(_ context.Context, name client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s, ok := m.services[name.Name]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("services"), name.Name)
	}
	*o.(*corev1.Service) = *s
	return nil
}

func (m *memory) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if l, ok := list.(*corev1.ServiceList); ok {
		for _, s := range m.services {
			l.Items = append(l.Items, *s)
		}
	}
	return nil
}

// allEndpoints returns every EndpointSlice.
func (m *memory) allEndpoints() (out []discoveryv1.EndpointSlice) {
	for _, s := range m.endpoints {
		out = append(out, *s)
	}
	return out
}

// swap stores what is under a name, or deletes it from there, and returns what
// was there.
func swap[T any, P interface {
	*T
	client.Object
}](m *memory, in map[string]P, is P, remove bool) (was P) {
	m.version++
	is.SetResourceVersion(fmt.Sprint(m.version))
	was = in[is.GetName()]
	if in[is.GetName()] = is; remove {
		delete(in, is.GetName())
	}
	return was
}

// A reporter changes a memory, and delivers that as a cache does: through the
// predicates.
type reporter struct {
	*bench
	*memory
	random *rand.Rand
}

// created, changed and deleted deliver an event.
func (r *reporter) created(o client.Object) {
	if r.predicate(o).Create(event.CreateEvent{Object: o}) {
		r.hear(o, false)
	}
}

func (r *reporter) changed(was, is client.Object) {
	if r.predicate(is).Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}) {
		r.hear(is, false)
	}
}

func (r *reporter) deleted(o client.Object) {
	if r.predicate(o).Delete(event.DeleteEvent{Object: o}) {
		r.hear(o, true)
	}
}

// predicate returns the predicate for objects of a kind.
func (r *reporter) predicate(o client.Object) predicate.Predicate {
	if _, ok := o.(*corev1.Service); ok {
		return r.World.services()
	}
	return predicate.Funcs{}
}

// service makes up one of a few Services.
func (r *reporter) service() *corev1.Service {
	var ips []string
	for range r.random.IntN(3) {
		ips = append(ips, fmt.Sprintf("192.0.2.%d", r.random.IntN(5)))
	}
	s := lb(fmt.Sprintf("s%d", r.random.IntN(4)), "", ips...)
	switch r.random.IntN(6) {
	case 0:
		s.Spec.Type = corev1.ServiceTypeClusterIP
	case 1:
		s.Spec.LoadBalancerClass = new("example.com/other")
	case 2:
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	case 3:
		s.Labels = map[string]string{"x": fmt.Sprint(r.random.IntN(2))}
	}
	return &s
}

// slice makes up one of a few EndpointSlices.
func (r *reporter) slice() *discoveryv1.EndpointSlice {
	n := r.random.IntN(6)
	s := slice(fmt.Sprintf("s%d", (n+r.random.IntN(8)/7)%4), fmt.Sprintf("slice%d", n), "", on(fmt.Sprintf("n%d", r.random.IntN(3)), new(r.random.IntN(2) > 0), nil, nil))
	return &s
}

// step creates, changes or deletes one object.
func (r *reporter) step() {
	remove := r.random.IntN(3) == 0
	if r.random.IntN(2) > 0 {
		is := r.slice()
		deliver(r, swap(r.memory, r.endpoints, is, remove), is, remove)
		return
	}
	is := r.service()
	deliver(r, swap(r.memory, r.services, is, remove), is, remove)
}

// deliver delivers a change.
func deliver[T any, P interface {
	*T
	client.Object
}](r *reporter, was, is P, remove bool) {
	switch {
	case was == nil && remove:
	case was == nil:
		r.created(is)
	case remove:
		r.deleted(was)
	default:
		r.changed(was, is)
	}
}

// Looking at what was heard of leads to the same as looking at everything,
// whatever changes, in any order, between any two looks.
func TestNewsLikeAll(t *testing.T) {
	const seeds, steps = 20, 150
	for seed := range uint64(seeds) {
		b := newBench(t)
		m := &memory{services: map[string]*corev1.Service{}, endpoints: map[string]*discoveryv1.EndpointSlice{}}
		r := &reporter{b, m, rand.New(rand.NewPCG(seed, 1))}
		b.cluster = m
		for i := range steps {
			r.step()
			if r.random.IntN(3) > 0 {
				continue
			}
			if r.random.IntN(20) == 0 {
				b.news.lose()
			}
			if err := b.readServices(t.Context()); err != nil {
				t.Fatal(err)
			}
			var services corev1.ServiceList
			if err := m.List(t.Context(), &services); err != nil {
				t.Fatal(err)
			}
			all := newCatalogue(func(class *string) bool { return handles(v1beta1.ClassHerald, class) })
			update(all, services.Items, m.allEndpoints())
			if diff := cmp.Diff(all.services, b.catalogue.services, compareAddrs, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, step %d: services (-all +news):\n%s", seed, i, diff)
			}
		}
	}
}

// What could not be looked at is looked at the next time.
func TestNewsAfterFailure(t *testing.T) {
	b := newBench(t)
	b.reconcile(t)
	s := lb("db", "", "192.0.2.2")
	if err := b.api.Create(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	b.cluster = awayReader{}
	b.reconcile(t)
	b.expect(t, "without a cache", "192.0.2.1")
	b.cluster = b.api
	ep := slice("db", "db-1", "", on("a", yes, nil, nil))
	if err := b.api.Create(t.Context(), &ep); err != nil {
		t.Fatal(err)
	}
	b.reconcile(t)
	b.expect(t, "with a cache again", "192.0.2.1 192.0.2.2")
}

// An awayReader reads nothing.
type awayReader struct{ client.Reader }

func (awayReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("away")
}

func (awayReader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("away")
}

// Many changes at once are arranged like few.
func TestArrange(t *testing.T) {
	c := newCatalogue(func(*string) bool { return true })
	var changed []types.NamespacedName
	for i := range 3 * few {
		s := lb(fmt.Sprint("s", (i*7)%(3*few)), fmt.Sprint(i), "192.0.2.1")
		name := client.ObjectKeyFromObject(&s)
		if c.put(name, &s, nil) {
			changed = append(changed, name)
		}
		if i == few/2 || i == 3*few-1 {
			c.arrange(changed)
			changed = nil
		}
	}
	if len(c.services) != 3*few || !slices.IsSortedFunc(c.services, func(a, b *desired.Service) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("%d services, want %d in order", len(c.services), 3*few)
	}
}
