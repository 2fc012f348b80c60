package assign

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// The reasons of events about Services.
const (
	eventAssigned   = "AddressAssigned"
	eventReassigned = "AddressReassigned"
	eventReleased   = "AddressReleased"
	eventFailed     = "AssignmentFailed"
	eventContested  = "StatusContested"
)

// maxNote is the longest note that the API server takes in an event.
const maxNote = 1024

// A change is what is to be written to a Service's status, and the one event
// that tells of it.
type change struct {
	// patch is a JSON merge patch, bound to the version that it was made from.
	patch []byte
	// eventType and reason are empty when there is nothing to tell.
	eventType, reason, note string
	// ips are the addresses that the log tells of.
	ips string
}

// plan compares a Service's status with an outcome; it returns nil when there
// is nothing to write.
func plan(s *corev1.Service, out outcome, now time.Time) *change {
	if out.reason == BeingDeleted && shows(s, out.addresses) {
		return nil // nobody reads what would change
	}
	old := ourCondition(s)
	next := condition(old, out, now)
	if shows(s, out.addresses) && old != nil && *old == next {
		return nil
	}
	conditions := slices.DeleteFunc(slices.Clone(s.Status.Conditions), isOurs)
	c := &change{patch: statusPatch(s, ingress(out.addresses), append(conditions, next))}
	c.tell(shownAddresses(s), old, out)
	return c
}

// planRelease is what is to be written to a Service that is no longer ours, or
// nil when it bears no mark of us.
func planRelease(s *corev1.Service) *change {
	if !marked(s) {
		return nil
	}
	c := &change{patch: statusPatch(s, nil, slices.DeleteFunc(slices.Clone(s.Status.Conditions), isOurs))}
	if had := shownAddresses(s); len(had) > 0 {
		c.eventType, c.reason, c.ips = corev1.EventTypeNormal, eventReleased, list(had)
		c.note = releasedNote(had)
	}
	return c
}

// releasedNote tells that a Service that is no longer ours has no address.
func releasedNote(had []netip.Addr) string {
	return list(had) + " released: the Service is no longer one that Herald handles"
}

// tell finds the event for the step from what a status showed to an outcome.
func (c *change) tell(had []netip.Addr, old *metav1.Condition, out outcome) {
	gained, gone := without(out.addresses, had), without(had, out.addresses)
	c.ips = list(out.addresses)
	if len(gained) == 0 && len(gone) > 0 {
		c.ips = list(gone)
	}
	because := func(text string) string {
		if out.cause == "" {
			return text
		}
		return text + ": " + out.cause
	}
	switch {
	case len(gained) > 0 && len(gone) > 0:
		c.eventType, c.reason = corev1.EventTypeNormal, eventReassigned
		c.note = because(list(gone)+" replaced by "+list(gained)) + "; now " + out.message
	case len(gained) > 0:
		c.eventType, c.reason, c.note = corev1.EventTypeNormal, eventAssigned, out.message
	case len(gone) > 0 && out.reason.fulfilled():
		c.eventType, c.reason, c.note = corev1.EventTypeNormal, eventReleased, because(list(gone)+" released")+"; now "+out.message
	case len(gone) > 0:
		c.eventType, c.reason, c.note = corev1.EventTypeWarning, eventReleased, because(list(gone)+" released")+"; "+out.message
	case !out.reason.fulfilled() && (old == nil || old.Reason != out.reason.String()):
		c.eventType, c.reason, c.note = corev1.EventTypeWarning, eventFailed, out.message
	case out.reason.fulfilled() && old != nil && old.Status == metav1.ConditionFalse:
		c.eventType, c.reason, c.note = corev1.EventTypeNormal, eventAssigned, out.message
	}
	c.note = clip(c.note)
}

// clip shortens a text to what fits an event.
func clip(s string) string {
	if len(s) <= maxNote {
		return s
	}
	const more = "..."
	return strings.ToValidUTF8(s[:maxNote-len(more)], "") + more
}

// without returns the addresses of a that are not in b.
func without(a, b []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(a), func(x netip.Addr) bool { return slices.Contains(b, x) })
}

// isOurs reports whether a condition is the one that this package writes.
func isOurs(c metav1.Condition) bool { return c.Type == v1beta1.ServiceAddressAssigned }

// ourCondition returns a Service's condition of our type, or nil.
func ourCondition(s *corev1.Service) *metav1.Condition {
	i := slices.IndexFunc(s.Status.Conditions, isOurs)
	if i < 0 {
		return nil
	}
	return &s.Status.Conditions[i]
}

// condition is the one for an outcome. It bears no generation, which would
// have it rewritten on changes that do not concern it.
func condition(old *metav1.Condition, out outcome, now time.Time) metav1.Condition {
	next := metav1.Condition{
		Type:               v1beta1.ServiceAddressAssigned,
		Status:             metav1.ConditionFalse,
		Reason:             out.reason.String(),
		Message:            out.message,
		LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	if out.reason.fulfilled() {
		next.Status = metav1.ConditionTrue
	}
	if old != nil && old.Status == next.Status {
		next.LastTransitionTime = old.LastTransitionTime
	}
	return next
}

// shows reports whether a status shows exactly addrs, in their order. An
// absent mode means VIP: API servers before 1.30 do not keep it.
func shows(s *corev1.Service, addrs []netip.Addr) bool {
	return slices.EqualFunc(s.Status.LoadBalancer.Ingress, addrs, func(in corev1.LoadBalancerIngress, a netip.Addr) bool {
		return in.IP == a.String() && in.Hostname == "" && len(in.Ports) == 0 &&
			(in.IPMode == nil || *in.IPMode == corev1.LoadBalancerIPModeVIP)
	})
}

// ingress is how a status shows addresses.
func ingress(addrs []netip.Addr) []corev1.LoadBalancerIngress {
	mode := corev1.LoadBalancerIPModeVIP
	var out []corev1.LoadBalancerIngress
	for _, a := range addrs {
		out = append(out, corev1.LoadBalancerIngress{IP: a.String(), IPMode: &mode})
	}
	return out
}

// statusPatch is a merge patch of ingress and conditions together, which the
// API server refuses when the Service has changed since it was read. It names
// nothing else, because what the cache holds of a Service is not whole.
func statusPatch(s *corev1.Service, in []corev1.LoadBalancerIngress, conditions []metav1.Condition) []byte {
	type balancer struct {
		Ingress []corev1.LoadBalancerIngress `json:"ingress"` // null removes it
	}
	type status struct {
		LoadBalancer balancer           `json:"loadBalancer"`
		Conditions   []metav1.Condition `json:"conditions"`
	}
	if len(conditions) == 0 {
		conditions = nil
	}
	patch, err := json.Marshal(struct {
		Metadata map[string]string `json:"metadata"`
		Status   status            `json:"status"`
	}{
		Metadata: map[string]string{"resourceVersion": s.ResourceVersion},
		Status:   status{LoadBalancer: balancer{Ingress: in}, Conditions: conditions},
	})
	if err != nil {
		panic("assign: encode a status: " + err.Error())
	}
	return patch
}
