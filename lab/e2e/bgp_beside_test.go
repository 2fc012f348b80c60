package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldlb/herald/lab/drive"
)

// A BGP speaker of the CNI's has the node's port 179. Herald has its sessions
// with routers beside it, and one with the speaker itself on localhost.
func testNeighborSpeaker(t *testing.T, c *cluster) {
	const node = "node1"
	dir := t.TempDir()
	conf, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "bird.ctl")
	if err := os.WriteFile(conf, []byte(pageBlock(t, "bird localhost")), 0o600); err != nil {
		t.Fatal(err)
	}
	bird := c.Command(context.Background(), "exec", node, "--", "bird", "-f", "-c", conf, "-s", socket, "-P", filepath.Join(dir, "bird.pid"))
	if err := bird.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bird.Process.Signal(os.Interrupt)
		_ = bird.Wait()
	})
	ask := func(ctx context.Context, command string) (string, error) {
		out, err := c.Output(ctx, "exec", node, "--", "birdc", "-s", socket, command)
		return string(out), err
	}
	eventually(t, patience, "BIRD on "+node, func(ctx context.Context) error {
		_, err := ask(ctx, "show status")
		return err
	})
	c.peering(t, peer{router: frr1})
	c.apply(t, peer{name: "localhost", address: "127.0.0.1", asn: 64520, on: []string{node}}.manifest("127.0.0.1"))
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "beside"}, 1)
	c.exactly(t, frr1, "beside another speaker", paths(c.nodes, "path 64512", host(1)...))
	c.telling(t, node, "localhost", drive.Established)
	eventually(t, atOnce, "routes on localhost", func(ctx context.Context) error {
		out, err := ask(ctx, "show route")
		if err == nil && !containsAll(out, host(1)) {
			err = errNot(out, fmt.Sprint(host(1)))
		}
		return err
	})
	if out, err := ask(t.Context(), "show status"); err != nil || !strings.Contains(out, "up and running") {
		t.Errorf("BIRD: %v: %s", err, out)
	}
}
