package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/heraldlb/herald/internal/kube"
)

func TestServing(t *testing.T) {
	tests := []struct {
		name                        string
		ready, serving, terminating *bool
		want                        bool
	}{
		{"nothing is said", nil, nil, nil, true},
		{"ready", yes, yes, no, true},
		{"ready, the rest is not said", yes, nil, nil, true},
		{"not ready", no, no, no, false},
		{"not ready but serving, which only counts while terminating", no, yes, no, false},
		{"terminating and serving", no, yes, yes, true},
		{"terminating, serving is not said", no, nil, yes, true},
		{"terminating and not serving", no, no, yes, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := serves(on("a", tt.ready, tt.serving, tt.terminating).Conditions)
			if got != tt.want {
				t.Errorf("serves = %t, want %t", got, tt.want)
			}
		})
	}
}

// Who asks for the backends of a Service is told of each change that matters,
// of no other, and finds what is so then.
func TestBackends(t *testing.T) {
	web, db := on("a", yes, nil, nil), on("b", yes, nil, nil)
	first := []discoveryv1.EndpointSlice{
		slice("web", "web-1", "1", web), slice("web", "web-2", "2", db), slice("db", "db-1", "3", db), slice("", "orphan", "4", web),
	}
	another := slice("web", "web-1", "5", web, on("a", no, yes, yes)) // one more pod on the node
	another.Endpoints[0].Addresses = []string{"10.244.0.9"}
	failed := slice("web", "web-1", "6", on("a", no, no, no))
	moved := slice("db", "web-1", "7", web)
	beside := slice("web", "web-3", "8", on("c", yes, nil, nil), on("", yes, nil, nil))

	tests := []struct {
		name  string
		do    func(b *backends) error
		heard string
		web   string // the nodes that serve the Service, sorted
	}{
		{"an endpoint beside another", func(b *backends) error { return b.Update(&another) }, "", "a b"},
		{"an endpoint fails", func(b *backends) error { return b.Update(&failed) }, "default/web", "b"},
		{"a slice is there for another Service", func(b *backends) error { return b.Update(&moved) }, "default/web default/db", "b"},
		{"a slice comes", func(b *backends) error { return b.Add(&beside) }, "default/web", " a b c"},
		{"a slice goes", func(b *backends) error { return b.Delete(&first[1]) }, "default/web", "a"},
		{"a slice that was not known goes", func(b *backends) error { return b.Delete(&beside) }, "", "a b"},
		{"all are told again", func(b *backends) error { return b.Replace(all(first...), "9") }, "", "a b"},
		{"one is not told again", func(b *backends) error { return b.Replace(all(first[1:]...), "9") }, "default/web", "b"},
		{"resync", (*backends).Resync, "", "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := backendsOf(first...)
			had := b.of(named("web"))
			kept := slices.Clone(had)
			var heard []string
			b.heard = func(service types.NamespacedName) { heard = append(heard, service.String()) }
			if err := tt.do(b); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(heard, " "); got != tt.heard {
				t.Errorf("heard of %q, want %q", got, tt.heard)
			}
			var nodes []string
			for node := range b.served(named("web")) {
				nodes = append(nodes, node)
			}
			slices.Sort(nodes)
			if got := strings.Join(nodes, " "); got != tt.web {
				t.Errorf("served by %q, want %q", got, tt.web)
			}
			if !slices.Equal(had, kept) {
				t.Error("a list that was handed out was written")
			}
		})
	}
}

// Services that the same nodes serve share memory, however many slices say so
// and however many sets there are.
func TestBackendsShare(t *testing.T) {
	a, b := on("a", yes, nil, nil), on("b", yes, nil, nil)
	all := backendsOf(slice("web", "web-1", "1", b, a), slice("db", "db-1", "2", a), slice("db", "db-2", "3", b))
	web := all.served(named("web"))
	web["mark"] = true
	if !all.served(named("db"))["mark"] {
		t.Error("two equal sets")
	}
	if none := all.served(named("none")); len(none) != 0 {
		t.Errorf("nobody serves it, but %v", none)
	}
	unplaced := slice("pool", "pool-1", "4", on("", yes, nil, nil))
	if err := all.Add(&unplaced); err != nil || !all.served(named("pool"))[""] {
		t.Errorf("error %v; the endpoint without a node is not known", err)
	}
	for i := range 3 * manySets {
		if set := all.sets.of([]string{fmt.Sprint(i)}); len(set) != 1 || !set[fmt.Sprint(i)] {
			t.Fatalf("set %d is %v", i, set)
		}
	}
	if n := len(all.sets); n > manySets {
		t.Errorf("%d sets are known, want %d at most", n, manySets)
	}
}

// What is no EndpointSlice is refused, and nothing is kept of what is gone.
func TestBackendsOfNothing(t *testing.T) {
	b := backendsOf()
	for _, do := range []func(any) error{b.Add, b.Update, b.Delete} {
		if err := do(&corev1.Service{}); err == nil {
			t.Error("a Service was accepted")
		}
	}
	if err := b.Replace([]any{&corev1.Service{}}, "1"); err == nil {
		t.Error("a list of Services was accepted")
	}
	web := slice("web", "web-1", "1", on("a", yes, nil, nil))
	if err := b.Add(&web); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(&web); err != nil || len(b.bySlice) != 0 || len(b.ofService) != 0 {
		t.Errorf("error %v, %d slices of %d Services, want none", err, len(b.bySlice), len(b.ofService))
	}
}

// The addresses of the speakers are known, and of nothing else.
func TestBackendsPeers(t *testing.T) {
	speakers := slice(kube.SpeakerService, "speakers", "1", speakerAt("a", no, "10.0.0.1"))
	speakers.Namespace = "herald-system"
	namesake := slice(kube.SpeakerService, "namesake", "1", speakerAt("a", yes, "10.0.0.1"))
	b := backendsOf(speakers, namesake)
	got := map[string]int{}
	for _, of := range []types.NamespacedName{b.own, named(kube.SpeakerService)} {
		got[of.Namespace] = len(peersOf(b.of(of)))
	}
	if diff := cmp.Diff(map[string]int{"herald-system": 1, "default": 0}, got); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

// named returns the name of a Service of the tests.
func named(service string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: service}
}

// all returns pointers to EndpointSlices.
func all(endpoints ...discoveryv1.EndpointSlice) []any {
	var out []any
	for i := range endpoints {
		out = append(out, &endpoints[i])
	}
	return out
}
