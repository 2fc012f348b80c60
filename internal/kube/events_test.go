package kube

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// moved is an event of a Service.
func moved(note string) Event {
	return Event{
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "web", UID: "u"},
		Type:      corev1.EventTypeNormal, Reason: "Moved", Action: "Assign", Note: note, At: time.Unix(1000, 42000),
	}
}

// Each event is an object of its own, however alike they are, and one that is
// written twice is there once.
func TestEvents(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(Scheme()).Build()
	e := NewEvents(c, "herald-test", log.NewNopLogger())
	pool := Event{Regarding: corev1.ObjectReference{Kind: "IPAddressPool", Name: "gold"}, Reason: "Valid", At: time.Unix(1, 0)}
	for _, ev := range []Event{moved("to a"), moved("to b"), moved("to b"), pool} {
		if err := e.Write(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	var got eventsv1.EventList
	if err := c.List(t.Context(), &got, client.InNamespace("shop")); err != nil {
		t.Fatal(err)
	}
	notes := map[string]int{}
	for i := range got.Items {
		ev := &got.Items[i]
		notes[ev.Note]++
		if ev.Series != nil || !ev.EventTime.Equal(&metav1.MicroTime{Time: time.Unix(1000, 42000)}) ||
			ev.ReportingController != "herald-test" || ev.ReportingInstance == "" || ev.Regarding.Name != "web" {
			t.Errorf("event %+v", ev)
		}
	}
	if diff := cmp.Diff(map[string]int{"to a": 1, "to b": 1}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if err := c.List(t.Context(), &got, client.InNamespace(metav1.NamespaceDefault)); err != nil || len(got.Items) != 1 {
		t.Errorf("%d events of the pool, %v", len(got.Items), err)
	}
}

// What may pass is an error, to be tried again; what the API server does not
// want is not.
func TestEventsRefused(t *testing.T) {
	events := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	terminating := apierrors.NewForbidden(events, "x", errors.New("namespace goes"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	tests := []struct {
		name  string
		err   error
		again bool
	}{
		{name: "not reached", err: errors.New("connection refused"), again: true},
		{name: "too many", err: apierrors.NewTooManyRequests("slow down", 1), again: true},
		{name: "starting", err: apierrors.NewServiceUnavailable("not yet"), again: true},
		{name: "namespace goes", err: terminating},
		{name: "namespace is gone", err: apierrors.NewNotFound(corev1.Resource("namespaces"), "shop")},
		{name: "not allowed", err: apierrors.NewForbidden(events, "x", errors.New("no"))},
		{name: "not valid", err: apierrors.NewBadRequest("no")},
		{name: "there already", err: apierrors.NewAlreadyExists(events, "x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(Scheme()).WithInterceptorFuncs(interceptor.Funcs{
				Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return tt.err },
			}).Build()
			err := NewEvents(c, "herald-test", log.NewNopLogger()).Write(t.Context(), moved("to a"))
			if got := err != nil; got != tt.again || got && !errors.Is(err, tt.err) {
				t.Errorf("error %v, want one: %v", err, tt.again)
			}
		})
	}
}
