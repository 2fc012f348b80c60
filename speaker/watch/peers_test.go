package watch

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/heraldlb/herald/internal/kube"
)

// speakerAt returns an endpoint of a speaker.
func speakerAt(node string, ready *bool, ips ...string) discoveryv1.Endpoint {
	ep := on(node, ready, nil, nil)
	ep.Addresses = ips
	return ep
}

func TestPeersOf(t *testing.T) {
	four := slice(kube.SpeakerService, "four", "1",
		speakerAt("c", no, "10.0.0.3"), speakerAt("a", yes, "10.0.0.1"),
		speakerAt("a", no, "10.0.0.1"), // its successor
		speakerAt("", yes, "10.0.0.9"), speakerAt("d", yes, "bad"), speakerAt("e", yes))
	six := slice(kube.SpeakerService, "six", "2", speakerAt("a", yes, "2001:db8::1"), speakerAt("b", yes, "2001:db8::2"))
	four.Namespace, six.Namespace = "herald-system", "herald-system"

	tests := []struct {
		name string
		own  string
		want []Peer
	}{
		{"IPv4", "10.0.0.1", []Peer{
			{"a", netip.MustParseAddr("10.0.0.1")}, {"c", netip.MustParseAddr("10.0.0.3")},
		}},
		{"IPv6", "2001:db8::1", []Peer{
			{"a", netip.MustParseAddr("2001:db8::1")}, {"b", netip.MustParseAddr("2001:db8::2")},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := backendsOf()
			b.family = netip.MustParseAddr(tt.own)
			if err := b.Replace(all(six, four), "1"); err != nil {
				t.Fatal(err)
			}
			got := peersOf(b.of(b.own))
			if diff := cmp.Diff(tt.want, got, compareAddrs); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if n := othersAmong(got, "a"); n != 1 {
				t.Errorf("others = %d, want 1", n)
			}
		})
	}
}
