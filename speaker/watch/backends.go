package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"unique"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Backends are what all EndpointSlices of the cluster say of where Services are
// served: of an object of some kilobytes a hundred bytes. They are a
// toolscache.ReflectorStore, and safe for use by several goroutines at once.
type backends struct {
	// own is the speakers' Service, and family an address of the family in
	// which they hear each other.
	own    types.NamespacedName
	family netip.Addr
	// heard is called with each Service of which an EndpointSlice says
	// something else than before, after it does.
	heard func(service types.NamespacedName)

	mu        sync.Mutex
	bySlice   map[types.NamespacedName]*backend
	ofService map[types.NamespacedName][]*backend
	sets      sets
}

// A backend is what one EndpointSlice says. It is never written.
type backend struct {
	service types.NamespacedName
	// nodes are those with an endpoint that takes traffic, sorted; an endpoint
	// without a node has the name "".
	nodes []string
	// peers are the speakers, in a slice of their own Service.
	peers []Peer
}

// newBackends returns backends of no Service.
func newBackends(own types.NamespacedName, family netip.Addr, heard func(types.NamespacedName)) *backends {
	return &backends{
		own: own, family: family, heard: heard,
		bySlice: map[types.NamespacedName]*backend{}, ofService: map[types.NamespacedName][]*backend{}, sets: sets{},
	}
}

// of returns what the EndpointSlices of a Service say. It must not be written.
func (b *backends) of(service types.NamespacedName) []*backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ofService[service]
}

// Add implements toolscache.ReflectorStore.
func (b *backends) Add(obj any) error { return b.Update(obj) }

// Update implements toolscache.ReflectorStore.
func (b *backends) Update(obj any) error {
	s, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return fmt.Errorf("%T is not an EndpointSlice", obj)
	}
	b.put(client.ObjectKeyFromObject(s), b.read(s))
	return nil
}

// Delete implements toolscache.ReflectorStore.
func (b *backends) Delete(obj any) error {
	s, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return fmt.Errorf("%T is not an EndpointSlice", obj)
	}
	b.put(client.ObjectKeyFromObject(s), nil)
	return nil
}

// Replace implements toolscache.ReflectorStore.
func (b *backends) Replace(objs []any, _ string) error {
	there := make(map[types.NamespacedName]bool, len(objs))
	for _, obj := range objs {
		if err := b.Update(obj); err != nil {
			return err
		}
		there[client.ObjectKeyFromObject(obj.(*discoveryv1.EndpointSlice))] = true
	}
	for _, name := range b.names() {
		if !there[name] {
			b.put(name, nil)
		}
	}
	return nil
}

// Resync implements toolscache.ReflectorStore: there is nothing to do.
func (b *backends) Resync() error { return nil }

// names returns the names of all EndpointSlices.
func (b *backends) names() []types.NamespacedName {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]types.NamespacedName, 0, len(b.bySlice))
	for name := range b.bySlice {
		out = append(out, name)
	}
	return out
}

// put takes note of what the EndpointSlice of a name says, nil when there is
// none, and tells of the Services of which something else is said.
func (b *backends) put(name types.NamespacedName, is *backend) {
	was := b.exchange(name, is)
	if was != nil && is != nil && was.service == is.service {
		if !slices.Equal(was.nodes, is.nodes) || !slices.Equal(was.peers, is.peers) {
			b.heard(is.service)
		}
		return
	}
	if was != nil {
		b.heard(was.service)
	}
	if is != nil {
		b.heard(is.service)
	}
}

// exchange stores a backend in the place of another, which it returns; either
// may be nil.
func (b *backends) exchange(name types.NamespacedName, is *backend) (was *backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was = b.bySlice[name]; was != nil {
		// A new list: somebody may have the old one.
		rest := slices.DeleteFunc(slices.Clone(b.ofService[was.service]), func(o *backend) bool { return o == was })
		if b.ofService[was.service] = slices.Clip(rest); len(rest) == 0 {
			delete(b.ofService, was.service)
		}
	}
	if is == nil {
		delete(b.bySlice, name)
		return was
	}
	b.bySlice[name] = is
	before := b.ofService[is.service]
	b.ofService[is.service] = append(before[:len(before):len(before)], is)
	return was
}

// read returns what an EndpointSlice says, and keeps nothing of it.
func (b *backends) read(s *discoveryv1.EndpointSlice) *backend {
	is := &backend{service: serviceOf(s)}
	is.service.Namespace = intern(is.service.Namespace)
	for i := range s.Endpoints {
		ep := &s.Endpoints[i]
		if is.service == b.own {
			if p, ok := peerOf(ep, b.family); ok {
				is.peers = append(is.peers, p)
			}
		}
		if node := nodeOf(ep); serves(ep.Conditions) && !slices.Contains(is.nodes, node) {
			is.nodes = append(is.nodes, node)
		}
	}
	slices.Sort(is.nodes)
	is.nodes = slices.Clip(is.nodes)
	return is
}

// nodeOf returns the name of the node that an endpoint is on, "" for none.
func nodeOf(ep *discoveryv1.Endpoint) string {
	if ep.NodeName == nil {
		return ""
	}
	return intern(*ep.NodeName)
}

// intern returns the one copy of a string that thousands of objects have.
func intern(s string) string { return unique.Make(s).Value() }

// serviceOf returns the name of the Service that an EndpointSlice belongs to;
// its Name is empty when it belongs to none.
func serviceOf(s *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
}

// served names the nodes with an endpoint of a Service that takes traffic. The
// map is not to be written: Services that the same nodes serve share it.
func (b *backends) served(service types.NamespacedName) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var nodes []string
	for _, is := range b.ofService[service] {
		nodes = append(nodes, is.nodes...)
	}
	slices.Sort(nodes)
	return b.sets.of(slices.Compact(nodes))
}

// Sets are sets of nodes, each of them once, by what they are made of.
type sets map[string]map[string]bool

// manySets bounds how many sets are known; those that nobody has any more go
// when there are more.
const manySets = 1000

// of returns the set of some nodes, which are sorted.
func (s sets) of(nodes []string) map[string]bool {
	key := fmt.Sprintf("%q", nodes) // the set of the node "" is not the empty one
	if set, ok := s[key]; ok {
		return set
	}
	if len(s) >= manySets {
		clear(s)
	}
	set := make(map[string]bool, len(nodes))
	for _, node := range nodes {
		set[node] = true
	}
	s[key] = set
	return set
}

// serves reports whether an endpoint takes traffic: it is ready, or it is
// terminating and still serving, as kube-proxy decides (KEP-1669). Ready and
// serving count as true where they are not given, terminating as false.
func serves(c discoveryv1.EndpointConditions) bool {
	switch {
	case c.Ready == nil || *c.Ready:
		return true
	case c.Terminating == nil || !*c.Terminating:
		return false
	default:
		return c.Serving == nil || *c.Serving
	}
}
