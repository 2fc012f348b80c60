package watch

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// The reasons of events.
const (
	reasonAnnouncing = "Announcing"
	reasonConflict   = "AddressConflict"
)

// claim is an address of a Service.
type claim struct{ address, service string }

// notices returns the events for what is in a report and was not in the
// status before: addresses that this node has begun to answer for, and
// stations that have begun to claim one of them.
func notices(before *v1beta1.SpeakerStatusStatus, r *report) []kube.Event {
	return append(announcing(before, r), conflicting(before, r)...)
}

// announcing returns an event for each address of a Service that is newly
// answered for.
func announcing(before *v1beta1.SpeakerStatusStatus, r *report) []kube.Event {
	known := map[claim]bool{}
	for _, l := range before.Layer2 {
		for _, service := range l.Services {
			known[claim{l.Address, service}] = true
		}
	}
	var out []kube.Event
	for _, l := range r.status.Layer2 {
		for _, service := range l.Services {
			ref, ok := r.services[service]
			if !ok || known[claim{l.Address, service}] {
				continue
			}
			out = append(out, kube.Event{
				Regarding: ref, Type: corev1.EventTypeNormal, Reason: reasonAnnouncing, Action: "Announce",
				Note: fmt.Sprintf("node %q answers for %s on %s", r.status.Node, l.Address, strings.Join(l.Interfaces, ", ")),
			})
		}
	}
	return out
}

// conflicting returns an event for each address of a Service that a station
// newly claims.
func conflicting(before *v1beta1.SpeakerStatusStatus, r *report) []kube.Event {
	known := map[[2]string]bool{}
	for _, c := range before.Conflicts {
		known[[2]string{c.Address, c.MAC}] = true
	}
	var out []kube.Event
	for _, c := range r.status.Conflicts {
		if known[[2]string{c.Address, c.MAC}] {
			continue
		}
		for _, service := range r.contested[c.Address] {
			ref, ok := r.services[service]
			if !ok {
				continue
			}
			out = append(out, kube.Event{
				Regarding: ref, Type: corev1.EventTypeWarning, Reason: reasonConflict, Action: "Announce",
				Note: fmt.Sprintf("station %s claims %s on %s, which is for node %q to answer for", c.MAC, c.Address, c.Interface, r.status.Node),
			})
		}
	}
	return out
}
