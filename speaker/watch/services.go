package watch

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/speaker/desired"
)

// A catalogue turns Services and what is known of their backends into
// desired.Services and keeps each one, behind the same pointer, for as long as
// what it was made from stays the same.
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
	uid     types.UID
	version string // the resource version of the Service
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

// finish ends the update with what begin returned; served tells which nodes
// serve a Service.
func (c *catalogue) finish(current map[types.NamespacedName]*corev1.Service, served func(types.NamespacedName) map[string]bool) {
	changed := false
	for name := range c.entries {
		if current[name] == nil {
			delete(c.entries, name)
			changed = true
		}
	}
	for name, s := range current {
		changed = c.put(name, s, served(name)) || changed
	}
	if changed {
		c.sort()
	}
}

// put updates one Service with the nodes that serve it, and reports whether
// anything has changed; arrange follows. The object is only read.
func (c *catalogue) put(name types.NamespacedName, s *corev1.Service, served map[string]bool) bool {
	e := c.entries[name]
	if e == nil {
		e = &entry{}
		c.entries[name] = e
	}
	return e.refresh(s, served)
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
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name, UID: e.uid}, true
}

// refresh translates a Service again if it, or where it is served, is not what
// it was, and reports whether it did.
func (e *entry) refresh(s *corev1.Service, served map[string]bool) bool {
	if e.service != nil && e.version == s.ResourceVersion && maps.Equal(e.service.Serving, served) {
		return false
	}
	e.version, e.uid = s.ResourceVersion, s.UID
	e.service = translate(s, served)
	return true
}

// translate makes a desired.Service of a Service and the nodes that serve it.
func translate(s *corev1.Service, served map[string]bool) *desired.Service {
	return &desired.Service{
		Key:       key(client.ObjectKeyFromObject(s)),
		Labels:    s.Labels,
		Addresses: addresses(s),
		Local:     s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
		Serving:   served,
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

// TrimService drops what a speaker does not read of a Service, which is most.
func TrimService(s *corev1.Service) {
	s.ObjectMeta = metav1.ObjectMeta{
		Namespace: intern(s.Namespace), Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion, Labels: s.Labels,
	}
	s.Spec = corev1.ServiceSpec{
		Type: s.Spec.Type, LoadBalancerClass: s.Spec.LoadBalancerClass, ExternalTrafficPolicy: s.Spec.ExternalTrafficPolicy,
	}
	ingress := make([]corev1.LoadBalancerIngress, 0, len(s.Status.LoadBalancer.Ingress))
	for i := range s.Status.LoadBalancer.Ingress {
		ingress = append(ingress, corev1.LoadBalancerIngress{IP: s.Status.LoadBalancer.Ingress[i].IP})
	}
	s.Status = corev1.ServiceStatus{}
	s.Status.LoadBalancer.Ingress = ingress
}
