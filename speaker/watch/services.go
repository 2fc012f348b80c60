package watch

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/speaker/desired"
)

// A catalogue turns Services and their EndpointSlices into desired.Services
// and keeps each one, behind the same pointer, for as long as the objects that
// it was made from stay the same.
type catalogue struct {
	// handles reports whether a spec.loadBalancerClass is this speaker's.
	handles func(class *string) bool
	entries map[types.NamespacedName]*entry
	// services holds those of entries, sorted by key. It is replaced, never
	// written, when something changed.
	services []*desired.Service
}

// An entry is what a catalogue knows of one Service.
type entry struct {
	service *desired.Service
	ref     corev1.ObjectReference
	// version and endpoints are the resource versions of the Service and,
	// sorted, of its slices.
	version   string
	endpoints []string
	// slices are those of the update that is being made.
	slices []*discoveryv1.EndpointSlice
}

// newCatalogue returns an empty catalogue for the classes that handles accepts.
func newCatalogue(handles func(*string) bool) *catalogue {
	return &catalogue{handles: handles, entries: map[types.NamespacedName]*entry{}}
}

// concerns reports whether the speaker announces the addresses of a Service: a
// load balancer of its class that has been given some.
func (c *catalogue) concerns(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		c.handles(s.Spec.LoadBalancerClass) &&
		len(s.Status.LoadBalancer.Ingress) > 0
}

// begin starts an update with all Services of the cluster, and returns the
// names of those that the speaker announces. The objects are only read.
func (c *catalogue) begin(services []corev1.Service) map[types.NamespacedName]*corev1.Service {
	current := make(map[types.NamespacedName]*corev1.Service, len(c.entries))
	for i := range services {
		if s := &services[i]; c.concerns(s) {
			current[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
		}
	}
	return current
}

// finish ends the update with what begin returned and all EndpointSlices.
func (c *catalogue) finish(current map[types.NamespacedName]*corev1.Service, endpoints []discoveryv1.EndpointSlice) {
	changed := false
	for name, e := range c.entries {
		e.slices = e.slices[:0]
		if current[name] == nil {
			delete(c.entries, name)
			changed = true
		}
	}
	for name := range current {
		if c.entries[name] == nil {
			c.entries[name] = &entry{}
		}
	}
	for i := range endpoints {
		if e, ok := c.entries[serviceOf(&endpoints[i])]; ok {
			e.slices = append(e.slices, &endpoints[i])
		}
	}
	for name, e := range c.entries {
		changed = e.refresh(current[name]) || changed
	}
	if changed {
		c.sort()
	}
}

// put updates one Service with all its EndpointSlices, and reports whether any
// of them has changed; arrange follows. The objects are only read.
func (c *catalogue) put(name types.NamespacedName, s *corev1.Service, endpoints []discoveryv1.EndpointSlice) bool {
	e := c.entries[name]
	if e == nil {
		e = &entry{}
		c.entries[name] = e
	}
	e.slices = e.slices[:0]
	for i := range endpoints {
		e.slices = append(e.slices, &endpoints[i])
	}
	return e.refresh(s)
}

// drop forgets a Service, and reports whether it was known; arrange follows.
func (c *catalogue) drop(name types.NamespacedName) bool {
	_, known := c.entries[name]
	delete(c.entries, name)
	return known
}

// few is how many changes arrange makes one by one at most.
const few = 100

// arrange puts what has changed in its place in the sorted list of services.
func (c *catalogue) arrange(changed []types.NamespacedName) {
	if len(changed) == 0 {
		return
	}
	if len(changed) > few {
		c.sort()
		return
	}
	list := slices.Clone(c.services)
	for _, name := range changed {
		i, there := slices.BinarySearchFunc(list, key(name), func(s *desired.Service, k string) int { return strings.Compare(s.Key, k) })
		e := c.entries[name]
		switch is := e != nil && len(e.service.Addresses) > 0; {
		case there && is:
			list[i] = e.service
		case there:
			list = slices.Delete(list, i, i+1)
		case is:
			list = slices.Insert(list, i, e.service)
		}
	}
	c.services = list
}

// key returns the key of the Service of a name.
func key(name types.NamespacedName) string { return name.Namespace + "/" + name.Name }

// sort makes the sorted list of services anew.
func (c *catalogue) sort() {
	c.services = make([]*desired.Service, 0, len(c.entries))
	for _, e := range c.entries {
		if len(e.service.Addresses) > 0 {
			c.services = append(c.services, e.service)
		}
	}
	slices.SortFunc(c.services, func(a, b *desired.Service) int { return strings.Compare(a.Key, b.Key) })
}

// ref returns a reference to the Service with the given key, for events, and
// whether the catalogue has it.
func (c *catalogue) ref(key string) (corev1.ObjectReference, bool) {
	namespace, name, _ := strings.Cut(key, "/")
	e, ok := c.entries[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok {
		return corev1.ObjectReference{}, false
	}
	return e.ref, true
}

// refresh translates a Service and the slices of the entry again if one of
// them is not what it was, and reports whether it did.
func (e *entry) refresh(s *corev1.Service) bool {
	same := e.service != nil && e.version == s.ResourceVersion && e.sameEndpoints()
	if !same {
		e.version = s.ResourceVersion
		e.endpoints = versions(e.slices)
		e.service = translate(s, e.slices)
		e.ref = corev1.ObjectReference{
			APIVersion: "v1", Kind: "Service",
			Namespace: s.Namespace, Name: s.Name, UID: s.UID,
		}
	}
	clear(e.slices) // they belong to the update, which is over
	return !same
}

// sameEndpoints reports whether the slices are those of the last refresh. A
// Service has one or two slices as a rule, so looking through them is cheap.
func (e *entry) sameEndpoints() bool {
	if len(e.slices) != len(e.endpoints) {
		return false
	}
	for _, s := range e.slices {
		if !slices.Contains(e.endpoints, s.ResourceVersion) {
			return false
		}
	}
	return true
}

// versions returns the resource versions of slices. No two writes to the API
// give the same one, so they name the slices and their contents.
func versions(endpoints []*discoveryv1.EndpointSlice) []string {
	out := make([]string, 0, len(endpoints))
	for _, s := range endpoints {
		out = append(out, s.ResourceVersion)
	}
	return out
}

// serviceOf returns the name of the Service that an EndpointSlice belongs to;
// its Name is empty when it belongs to none.
func serviceOf(s *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
}

// translate makes a desired.Service of a Service and all its slices.
func translate(s *corev1.Service, endpoints []*discoveryv1.EndpointSlice) *desired.Service {
	return &desired.Service{
		Key:       key(client.ObjectKeyFromObject(s)),
		Labels:    s.Labels,
		Addresses: addresses(s),
		Local:     s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
		Serving:   serving(endpoints),
	}
}

// addresses returns the addresses in a Service's status, each once. What is
// not an address there was not written by Herald and is left out.
func addresses(s *corev1.Service) []netip.Addr {
	var out []netip.Addr
	for i := range s.Status.LoadBalancer.Ingress {
		addr, err := netip.ParseAddr(s.Status.LoadBalancer.Ingress[i].IP)
		if err != nil || addr.Zone() != "" {
			continue
		}
		if addr = addr.Unmap(); !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}

// serving names the nodes with an endpoint that takes traffic.
func serving(endpoints []*discoveryv1.EndpointSlice) map[string]bool {
	out := map[string]bool{}
	for _, slice := range endpoints {
		for i := range slice.Endpoints {
			ep := &slice.Endpoints[i]
			if !serves(ep.Conditions) {
				continue
			}
			if ep.NodeName == nil {
				out[""] = true
				continue
			}
			out[*ep.NodeName] = true
		}
	}
	return out
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
