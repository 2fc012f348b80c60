package assign

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// News of Services that are none of ours are not listened to, but for
// deletions: what a cache shows of a Service that is gone may be out of date.
func TestNewsOfServices(t *testing.T) {
	version := func(v string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.ResourceVersion = v }
	}
	internal := func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }
	ours, before := serviceNamed("a", version("2")), serviceNamed("a", version("1"), internal)
	theirs := serviceNamed("a", version("2"), internal)
	news := newsOfServices()
	update := func(old, now *corev1.Service) bool {
		return news.Update(event.TypedUpdateEvent[*corev1.Service]{ObjectOld: old, ObjectNew: now})
	}
	for _, tt := range []struct {
		name      string
		got, want bool
	}{
		{"ours created", news.Create(event.TypedCreateEvent[*corev1.Service]{Object: ours}), true},
		{"other created", news.Create(event.TypedCreateEvent[*corev1.Service]{Object: theirs}), false},
		{"becomes ours", update(before, ours), true},
		{"the same again", update(ours, ours), false},
		{"other changed", update(before, theirs), false},
		{"ours deleted", news.Delete(event.TypedDeleteEvent[*corev1.Service]{Object: ours}), true},
		{"other deleted", news.Delete(event.TypedDeleteEvent[*corev1.Service]{Object: theirs}), true},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: let through %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
