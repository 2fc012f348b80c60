package desired_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// Law: what the nodes tell each other of their links is enough for all to elect
// the same node: one that announces on an interface without an address, as a
// VLAN is that leads to the clients alone, is a candidate to the others as to
// itself.
func TestRecordsElect(t *testing.T) {
	tests := []struct {
		name string
		link desired.Link // eth1, of every node
		want int          // candidates
	}{
		{"with an address", desired.Link{Up: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("172.16.0.1/24")}}, 3},
		{"without one", desired.Link{Up: true}, 3},
		{"with one of its own scope", desired.Link{Up: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}}, 3},
		{"down", desired.Link{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := recordedCluster(t, tt.link)
			holder := r.holder(nil, tt.want > 0)
			for _, node := range []string{"n1", "n2", "n3"} {
				if next := r.holder([]string{node}, tt.want > 0); next == node || node != holder && next != holder {
					t.Errorf("held by %q, and without %s by %q", holder, node, next)
				}
			}
			if tt.want > 0 {
				r.handOver(holder)
			}
		})
	}
}

// recorded is a cluster of three nodes that know of each other's links what
// their records say, and one Service.
type recorded struct {
	t  *testing.T
	in map[string]desired.Input
}

func recordedCluster(t *testing.T, announcing desired.Link) *recorded {
	t.Helper()
	r := &recorded{t: t, in: map[string]desired.Input{}}
	cfg := simConfig(t, "l2 lan interfaces=eth1\n")
	svc := &desired.Service{Key: "a/a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Serving: map[string]bool{"n1": true}}
	peers, alive := map[string][]desired.Link{}, map[string]bool{}
	var nodes []desired.Node
	links := map[string][]desired.Link{}
	for i, name := range []string{"n1", "n2", "n3"} {
		announcing.Name, announcing.MAC = "eth1", [6]byte{2, 0, 0, 0, 1, byte(i)}
		eth0 := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 0, byte(1 + i)}), 24)
		links[name] = []desired.Link{{Name: "eth0", Up: true, Prefixes: []netip.Prefix{eth0}}, announcing}
		nodes = append(nodes, desired.Node{Name: name})
		alive[name], peers[name] = true, ledger.NewRecord(name, 1, links[name], nil).Links
	}
	for name := range links {
		r.in[name] = desired.Input{
			Node: name, Config: cfg, Services: []*desired.Service{svc}, Nodes: nodes, Alive: alive,
			Links: links[name], PeerLinks: peers, Expected: 3, Steady: true,
		}
	}
	return r
}

// without returns what a node decides from when some are excluded.
func (r *recorded) without(node string, excluded []string) desired.Input {
	in := r.in[node]
	in.Nodes = append([]desired.Node(nil), in.Nodes...)
	for i := range in.Nodes {
		for _, name := range excluded {
			if in.Nodes[i].Name == name {
				in.Nodes[i].Unavailable = desired.NodeExcluded
			}
		}
	}
	return in
}

// holder returns the one node that announces when nobody has claimed anything;
// there is one if somebody can.
func (r *recorded) holder(excluded []string, somebody bool) string {
	r.t.Helper()
	var holders []string
	for name := range r.in {
		var c desired.Computer
		if len(c.Compute(r.without(name, excluded)).Layer2) > 0 {
			holders = append(holders, name)
		}
	}
	if len(holders) > 1 || somebody != (len(holders) == 1) {
		r.t.Fatalf("without %v: announced by %v", excluded, holders)
	}
	return append(holders, "")[0]
}

// handOver checks that a holder that is excluded appoints another node.
func (r *recorded) handOver(holder string) {
	r.t.Helper()
	var c desired.Computer
	claims := c.Compute(r.in[holder]).Claims
	in := r.without(holder, []string{holder})
	in.Claims = in.Claims.With(claims...)
	var got []string
	for _, claim := range c.Compute(in).Claims {
		if got = append(got, claim.Address.String()); claim.Node == holder || claim.Epoch != 2 {
			r.t.Errorf("%s, excluded, claims %+v", holder, claim)
		}
	}
	if diff := cmp.Diff([]string{"10.0.0.1"}, got); diff != "" {
		r.t.Errorf("appointed (-want +got):\n%s", diff)
	}
}
