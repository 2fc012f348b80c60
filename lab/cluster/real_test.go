package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// A real lab comes up, gains and loses a node, starts again what died, and
// leaves nothing. It needs root and the Kubernetes programs, which `lab up`
// builds.
func TestReal(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "build", "kube", "kube")); err != nil || os.Geteuid() != 0 || testing.Short() {
		t.Skip("needs root, the built Kubernetes programs and no -short")
	}
	s, err := state.System.Open(t.Context(), "gotest", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := New(Config{Store: s, Root: root, Report: t.Logf})
	o := state.Options{Nodes: 1, Clients: 1, Family: state.IPv4, Proxy: state.NFTables, ImageRepo: "heraldlb.io"}
	defer func() {
		if l := s.Lab(); l != nil {
			_ = c.Down(t.Context())
		}
	}()
	must(t, c.Up(t.Context(), o))
	if left := host.Leftovers(s.Lab()); len(left) == 0 {
		t.Error("a running lab leaves nothing: the check is blind")
	}
	node, err := c.Join(t.Context(), "")
	must(t, err)
	checkNodes(t, s.Lab(), "node1", node.Name)
	must(t, c.Leave(t.Context(), node.Name))
	must(t, c.Leave(t.Context(), node.Name))
	checkNodes(t, s.Lab(), "node1")

	must(t, host.Kill(t.Context(), s, "node1", "kubelet", syscall.SIGKILL))
	must(t, c.Up(t.Context(), o))
	if p, ok := s.Lab().Process("node1", "kubelet"); !ok || !host.Alive(p) {
		t.Error("kubelet was not started again")
	}
	l := s.Lab()
	must(t, c.Down(t.Context()))
	if diff := cmp.Diff([]string(nil), host.Leftovers(l)); diff != "" {
		t.Errorf("left over (-want +got):\n%s", diff)
	}
}

// checkNodes compares the Ready nodes of the API server with want.
func checkNodes(t *testing.T, l *state.Lab, want ...string) {
	t.Helper()
	api, err := NewAPI(l)
	must(t, err)
	nodes, err := api.NodeReady(t.Context())
	must(t, err)
	var got []string
	for name, ready := range nodes {
		if ready == "True" {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Ready nodes (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
