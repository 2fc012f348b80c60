package assign

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/ipam"
)

// A request is what one Service asks for, and what it is known by. It is never
// written after it is built.
type request struct {
	// key is namespace/name.
	key, namespace string
	uid            string
	// version is the resource version that the request was read at.
	version string
	created time.Time
	labels  config.Labels

	// usable are the families that the Service can use, in the order of the
	// status, and families those of them that it asks for. Neither is empty.
	usable, families []ipam.Family
	// deleting is true for a Service that is gone once its finalizers are.
	deleting bool
	// disowned is true for a Service that is no longer ours and whose status may
	// still show what it was given.
	disowned bool
	// whole is true when one family without the other is of no use.
	whole bool
	// addresses are those asked for by name, sorted; empty when any will do.
	addresses []netip.Addr
	// pool is the pool asked for; empty when any that is for the Service will do.
	pool    string
	sharing ipam.Sharing
	// invalid says that the Service contradicts itself; the wishes above it
	// are then not to be used.
	invalid *refusal

	// shown are the addresses in the Service's status, told and toldReason what
	// its condition says.
	shown            []netip.Addr
	told, toldReason string
}

// handled reports whether a Service is one that gets addresses from us: of
// type LoadBalancer, of no class or of the given one, and not headless.
func handled(s *corev1.Service, class string) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		(s.Spec.LoadBalancerClass == nil || *s.Spec.LoadBalancerClass == class) &&
		s.Spec.ClusterIP != corev1.ClusterIPNone
}

// marked reports whether a Service bears our condition.
func marked(s *corev1.Service) bool {
	return slices.ContainsFunc(s.Status.Conditions, isOurs)
}

// ending says why a Service is to get nothing more; nil when it may.
func (r *request) ending() *refusal {
	switch {
	case r.deleting:
		return &refusal{BeingDeleted, "the Service is being deleted, and gets no address any more"}
	case r.disowned:
		return &refusal{BeingDeleted, "the Service is no longer one that Herald handles"}
	default:
		return nil
	}
}

// newRequest reads what a handled Service asks for.
func newRequest(s *corev1.Service) *request {
	r := &request{
		key:       s.Namespace + "/" + s.Name,
		namespace: s.Namespace,
		uid:       string(s.UID),
		version:   s.ResourceVersion,
		created:   s.CreationTimestamp.Time,
		labels:    s.Labels,
		usable:    families(s),
		whole:     true,
		deleting:  s.DeletionTimestamp != nil,
		shown:     shownAddresses(s),
	}
	r.families = r.usable
	if c := ourCondition(s); c != nil {
		r.told, r.toldReason = c.Message, c.Reason
	}
	if p := s.Spec.IPFamilyPolicy; p != nil && *p == corev1.IPFamilyPolicyPreferDualStack {
		r.whole = false
	}
	r.invalid = r.readWishes(s)
	return r
}

// readWishes fills in the wishes, or says why they cannot be read.
func (r *request) readWishes(s *corev1.Service) *refusal {
	key, bad := agreed(s.Annotations, sharingSpellings)
	r.sharing = sharing(s, key)
	if bad != nil {
		return bad
	}
	if r.pool, bad = agreed(s.Annotations, poolSpellings); bad != nil {
		return bad
	}
	addrs, bad := askedAddresses(s.Annotations)
	if bad != nil {
		return bad
	}
	reason, field := InvalidAnnotation, "annotation "+v1beta1.AnnotationAddresses
	if ip := strings.TrimSpace(s.Spec.LoadBalancerIP); ip != "" {
		a, err := parseAddress(ip)
		if err != nil {
			return &refusal{InvalidLoadBalancerIP, fmt.Sprintf("spec.loadBalancerIP: %v", err)}
		}
		if len(addrs) > 0 && !slices.Contains(addrs, a) {
			return &refusal{InvalidLoadBalancerIP, fmt.Sprintf(
				"spec.loadBalancerIP %q is not among the addresses of the annotation (%s): leave one out", a, list(addrs))}
		}
		if len(addrs) == 0 {
			addrs, reason, field = []netip.Addr{a}, InvalidLoadBalancerIP, "spec.loadBalancerIP"
		}
	}
	if len(addrs) == 0 {
		return nil
	}
	return r.name(addrs, reason, field)
}

// name makes the wish one for certain addresses, which must fit the families.
func (r *request) name(addrs []netip.Addr, reason Reason, field string) *refusal {
	var named []ipam.Family
	for _, a := range addrs {
		f := ipam.FamilyOf(a)
		if !slices.Contains(r.families, f) {
			return &refusal{reason, fmt.Sprintf("%s: %s is not of the Service's families (%s)", field, a, familyList(r.families))}
		}
		named = append(named, f)
	}
	if r.whole && len(named) < len(r.families) {
		return &refusal{reason, fmt.Sprintf("%s: %s is one address, but ipFamilyPolicy RequireDualStack needs one of each family",
			field, list(addrs))}
	}
	r.addresses = addrs
	r.families = slices.DeleteFunc(slices.Clone(r.families), func(f ipam.Family) bool { return !slices.Contains(named, f) })
	return nil
}

// families returns the families that a Service can use: those of its cluster
// addresses, because nothing forwards the others. The spec is asked only as
// long as there are none.
func families(s *corev1.Service) []ipam.Family {
	var out []ipam.Family
	add := func(f ipam.Family) {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	for _, ip := range s.Spec.ClusterIPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			add(ipam.FamilyOf(a.Unmap()))
		}
	}
	if a, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
		add(ipam.FamilyOf(a.Unmap()))
	}
	if len(out) > 0 {
		return out
	}
	for _, f := range s.Spec.IPFamilies {
		if f == corev1.IPv6Protocol {
			add(ipam.IPv6)
		} else {
			add(ipam.IPv4)
		}
	}
	if len(out) == 0 {
		add(ipam.IPv4)
	}
	return out
}

// sharing returns with whom a Service may share, by its key and its spec.
func sharing(s *corev1.Service, key string) ipam.Sharing {
	if key == "" {
		return ipam.Sharing{}
	}
	out := ipam.Sharing{Key: key}
	for _, p := range s.Spec.Ports {
		protocol := string(p.Protocol)
		if protocol == "" {
			protocol = string(corev1.ProtocolTCP)
		}
		out.Ports = append(out.Ports, ipam.Port{Protocol: protocol, Number: uint16(p.Port)})
	}
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		out.Backends = backends(s)
	}
	return out
}

// backends identifies the pods behind a Service. Only pods of one namespace
// can be the same, and endpoints that no selector made are the Service's own.
func backends(s *corev1.Service) string {
	if len(s.Spec.Selector) == 0 {
		return s.Namespace + "/" + s.Name
	}
	return s.Namespace + "/" + labels.Set(s.Spec.Selector).String()
}

// shownAddresses returns the addresses in a Service's status; what is not an
// address is left out.
func shownAddresses(s *corev1.Service) []netip.Addr {
	var out []netip.Addr
	for _, in := range s.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(in.IP); err == nil && a.Zone() == "" && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	return out
}
