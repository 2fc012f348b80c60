package watch

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/speaker/desired"
)

// maxListed bounds the addresses in a SpeakerStatus, so that the object stays
// well below what the API accepts. The summary counts all of them.
const maxListed = 5000

// Led is an address that this node answers for: on which interfaces, and since
// when.
type Led struct {
	Address    netip.Addr
	Interfaces []string
	Since      time.Time
}

// Conflict is an address of this node that another station claims too.
type Conflict struct {
	Address   netip.Addr
	MAC       string
	Interface string
	At        time.Time
}

// A report is what a pass found to tell the people: the status of the speaker,
// and what events are about. It is never written after it is made.
type report struct {
	status v1beta1.SpeakerStatusStatus
	// node is the UID of the Node that owns the status.
	node types.UID
	// services refers to every Service in the status by its key.
	services map[string]corev1.ObjectReference
	// contested are the keys of the Services that hold an address in dispute.
	contested map[string][]string
	// routers refers to BGPPeers by their names.
	routers map[string]corev1.ObjectReference
}

// A telling is what a report is made from.
type telling struct {
	node       string
	uid        types.UID
	generation string
	alive      map[string]bool
	led        []Led
	conflicts  []Conflict
	announced  []desired.Layer2Address
	ref        func(key string) (corev1.ObjectReference, bool)
	sessions   []BGPSession
	refused    []desired.Refusal
	routers    map[string]corev1.ObjectReference
}

// reportOf makes the report.
func reportOf(t telling) *report {
	r := &report{node: t.uid, routers: t.routers, services: map[string]corev1.ObjectReference{}, contested: map[string][]string{}}
	announced := make(map[netip.Addr]*desired.Layer2Address, len(t.announced))
	for i := range t.announced {
		announced[t.announced[i].Address] = &t.announced[i]
	}
	led := slices.SortedFunc(slices.Values(t.led), func(a, b Led) int { return a.Address.Compare(b.Address) })
	for _, l := range led[:min(len(led), maxListed)] {
		status := v1beta1.Layer2Status{Address: l.Address.String(), Interfaces: l.Interfaces, Since: seconds(l.Since)}
		if a := announced[l.Address]; a != nil {
			status.Services, status.Cause = a.Services, a.Cause.String()
			r.refer(a.Services, t.ref)
		}
		r.status.Layer2 = append(r.status.Layer2, status)
	}
	for _, c := range t.conflicts {
		r.status.Conflicts = append(r.status.Conflicts, v1beta1.AddressConflict{
			Address: c.Address.String(), MAC: c.MAC, Interface: c.Interface, LastSeen: metav1.NewTime(c.At.Truncate(time.Minute)),
		})
		if a := announced[c.Address]; a != nil {
			r.contested[c.Address.String()] = a.Services
			r.refer(a.Services, t.ref)
		}
	}
	r.status.Node, r.status.ConfigGeneration = t.node, t.generation
	r.status.Members = living(t.alive)
	r.status.Summary = v1beta1.SpeakerSummary{
		Members:         int32(len(r.status.Members)),
		Layer2Addresses: int32(len(t.led)),
		Conflicts:       int32(len(t.conflicts)),
		BGPRefusals:     int32(len(t.refused)),
	}
	r.refuse(t.refused)
	r.speak(t.sessions)
	return r
}

// refer looks the references of Services up.
func (r *report) refer(keys []string, ref func(string) (corev1.ObjectReference, bool)) {
	for _, key := range keys {
		if o, ok := ref(key); ok {
			r.services[key] = o
		}
	}
}

// living returns the sorted names that are true in alive.
func living(alive map[string]bool) []string {
	names := slices.Sorted(maps.Keys(alive))
	return slices.DeleteFunc(names, func(n string) bool { return !alive[n] })
}

// seconds returns a time as it comes back from the API.
func seconds(t time.Time) metav1.Time {
	if t.IsZero() {
		return metav1.Time{}
	}
	return metav1.NewTime(t.Truncate(time.Second))
}

// report hands what there is to tell to the publisher, and returns when
// something in it will be out of date; zero for never.
func (w *World) report(f facts, now time.Time) time.Time {
	led := w.Layer2.Led()
	for len(w.conflictsC) > 0 {
		c := <-w.conflictsC
		w.sightings.add(c, since(led, c.Address))
	}
	conflicts, expiry := w.sightings.current(now, w.announced)
	if f.uid == "" || w.publisher == nil {
		return expiry // a status belongs to a Node
	}
	w.publisher.publish(reportOf(telling{
		node: w.Node, uid: f.uid, generation: w.generation, alive: f.alive,
		led: led, conflicts: conflicts, announced: w.announced, ref: w.catalogue.ref,
		sessions: w.sessions(), refused: w.told.Refused, routers: w.routers,
	}))
	return expiry
}

// since returns when an address began to be answered for; zero if it is not.
func since(led []Led, addr netip.Addr) time.Time {
	for i := range led {
		if led[i].Address == addr {
			return led[i].Since
		}
	}
	return time.Time{}
}
