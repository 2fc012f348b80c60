package watch

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// speakerAt returns an endpoint of a speaker.
func speakerAt(node string, ready *bool, ips ...string) discoveryv1.Endpoint {
	ep := on(node, ready, nil, nil)
	ep.Addresses = ips
	return ep
}

func TestPeersOf(t *testing.T) {
	four := slice("herald-speaker", "four", "1",
		speakerAt("c", no, "10.0.0.3"), speakerAt("a", yes, "10.0.0.1"),
		speakerAt("a", no, "10.0.0.1"), // its successor
		speakerAt("", yes, "10.0.0.9"), speakerAt("d", yes, "bad"), speakerAt("e", yes))
	six := slice("herald-speaker", "six", "2", speakerAt("a", yes, "2001:db8::1"), speakerAt("b", yes, "2001:db8::2"))
	all := []discoveryv1.EndpointSlice{six, four}

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
			got := peersOf(all, netip.MustParseAddr(tt.own))
			if diff := cmp.Diff(tt.want, got, compareAddrs); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if n := othersAmong(got, "a"); n != 1 {
				t.Errorf("others = %d, want 1", n)
			}
		})
	}
}
