package watch

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// The reasons of events.
const (
	reasonAnnouncing  = "Announcing"
	reasonConflict    = "AddressConflict"
	reasonSessionUp   = "SessionUp"
	reasonSessionDown = "SessionDown"
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

// A roll tells of each BGP session whether it was up when an event last said
// so, by the name of its peer.
type roll map[string]bool

// newRoll returns the roll of a speaker whose status was last written before it
// was started. What was up then, and is up again, is no news.
func newRoll(before []v1beta1.BGPSessionStatus) roll {
	out := roll{}
	for i := range before {
		if s := &before[i]; s.State == established || s.LastError != "" {
			out[s.Peer] = s.State == established
		}
	}
	return out
}

// call returns the events for sessions that went up, and for those that went
// down or cannot come up, and notes them. A session that has no error yet is
// being made.
func (known roll) call(r *report) []kube.Event {
	var out []kube.Event
	present := map[string]bool{}
	for i := range r.status.BGPSessions {
		s := &r.status.BGPSessions[i]
		present[s.Peer] = true
		up := s.State == established
		was, told := known[s.Peer]
		if told && was == up || !up && s.LastError == "" {
			continue
		}
		ref, ok := r.routers[s.Peer]
		if !ok {
			continue
		}
		known[s.Peer] = up
		e := kube.Event{Regarding: ref, Type: corev1.EventTypeNormal, Reason: reasonSessionUp, Action: "Connect"}
		e.Note = fmt.Sprintf("node %q has a session with %s", r.status.Node, s.Address)
		if !up {
			e.Type, e.Reason = corev1.EventTypeWarning, reasonSessionDown
			e.Note = fmt.Sprintf("node %q has no session with %s: %s", r.status.Node, s.Address, s.LastError)
		}
		out = append(out, e)
	}
	maps.DeleteFunc(known, func(peer string, _ bool) bool { return !present[peer] })
	return out
}
