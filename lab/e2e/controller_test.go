package e2e

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// A restart of the controller costs no connection and moves no address.
func testRestartController(t *testing.T, c *cluster) {
	svc := service{name: "kept"}
	addr := c.serve(t, svc)
	c.answers(t, addr)
	probe := c.probe(t, []netip.Addr{addr}, 40*time.Second)
	c.kubectl(t, "-n", namespace, "rollout", "restart", "deployment/controller")
	c.kubectl(t, "-n", namespace, "rollout", "status", "deployment/controller", "--timeout=2m")
	c.serve(t, service{name: "new"}) // the new controller is at work
	unharmed(t, "controller restarted", probe.stop(t), 0)
	if got := c.address(t, svc); got != addr {
		t.Errorf("address moved from %s to %s", addr, got)
	}
	c.rolledOut(t)
}

// Without a controller, addresses go on working. After its return, Services
// that waited get theirs, and nobody's has changed.
func testNoController(t *testing.T, c *cluster) {
	svc := service{name: "before"}
	addr := c.serve(t, svc)
	c.answers(t, addr)
	c.kubectl(t, "-n", namespace, "scale", "deployment/controller", "--replicas=0")
	eventually(t, patience, "controller gone", func(context.Context) error {
		if pods := c.pods(t, "controller"); len(pods) > 0 {
			return errNot(len(pods), "no pod")
		}
		return nil
	})
	probe := c.probe(t, []netip.Addr{addr}, 4*time.Second)
	waiting := service{name: "waiting"}
	c.apply(t, waiting.manifest())
	always(t, 2*time.Second, "no address without a controller", func(ctx context.Context) error {
		got, err := c.ingress(ctx, waiting)
		if err == nil && len(got) > 0 {
			err = errNot(got, "none")
		}
		return err
	})
	unharmed(t, "controller away", probe.wait(t), 0)
	c.kubectl(t, "-n", namespace, "scale", "deployment/controller", "--replicas=2")
	if got := c.address(t, waiting); got == addr {
		t.Errorf("the Service that waited got %s, which is another's", got)
	}
	if got := c.address(t, svc); got != addr {
		t.Errorf("address moved from %s to %s", addr, got)
	}
	c.rolledOut(t)
}
