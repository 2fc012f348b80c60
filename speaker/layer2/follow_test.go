package layer2

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Law: an interface that gets another name is known by that one alone, and an
// address that it had is not the host's any more when it gets another.
func TestRenamed(t *testing.T) {
	e := newEngine(New(Config{}))
	first, second := mac{2, 0, 0, 0, 0, 1}, mac{2, 0, 0, 0, 0, 2}
	e.onLink(linkEvent{link: link{name: "eth0", index: 1, mac: first}})
	e.onLink(linkEvent{link: link{name: "eth1", index: 2, mac: second}})
	e.onLink(linkEvent{link: link{name: "wan", index: 1, mac: first}})
	moved := mac{2, 0, 0, 0, 0, 3}
	e.onLink(linkEvent{link: link{name: "wan", index: 1, mac: moved}})
	var names []string
	for _, name := range []string{"eth0", "eth1", "wan"} {
		if _, ok := e.links[name]; ok {
			names = append(names, name)
		}
	}
	if diff := cmp.Diff([]string{"eth1", "wan"}, names); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if want := map[mac]bool{second: true, moved: true}; !maps.Equal(e.own, want) {
		t.Errorf("own addresses %v, want %v", e.own, want)
	}
}
