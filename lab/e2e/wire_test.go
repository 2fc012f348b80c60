package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/probe/arping"
)

// A running is a verb of the lab program that goes on in the background and
// prints a report of type R when it ends.
type running[R any] struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// begin starts a verb in the background.
func begin[R any](t *testing.T, c *cluster, verb string, args ...string) *running[R] {
	t.Helper()
	// Not the test's context: a report is wanted also after an interrupt.
	r := &running[R]{cmd: c.command(context.Background(), verb, append([]string{"--json"}, args...)...)}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
	})
	return r
}

// wait waits for the end and returns the report.
func (r *running[R]) wait(t *testing.T) *R {
	t.Helper()
	if err := r.cmd.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(r.cmd.Args[1:], " "), err, r.stderr.String())
	}
	var report R
	if err := json.Unmarshal(r.stdout.Bytes(), &report); err != nil {
		t.Fatalf("%s: read JSON: %v", strings.Join(r.cmd.Args[1:], " "), err)
	}
	return &report
}

// stop ends it early and returns the report of what was seen until then.
func (r *running[R]) stop(t *testing.T) *R {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Log(err) // it has ended already
	}
	return r.wait(t)
}

// baseline is how long a probe runs before anything is done to what it probes.
const baseline = time.Second

// probe starts to connect to addr from the client, 100 times a second, for
// baseline and then d. It returns when the baseline is over.
func (c *cluster) probe(t *testing.T, addr netip.Addr, d time.Duration) *running[probe.Report] {
	t.Helper()
	r := begin[probe.Report](t, c, "probe",
		"--from", "client", "--url", url(addr), "--every", "10ms", "--for", (baseline + d).String(), "--timeout", "1s")
	always(t, baseline, "probe goes on", func(context.Context) error { return r.cmd.Process.Signal(syscall.Signal(0)) })
	return r
}

// unharmed fails when a probe was not answered, and says when that was.
//
// A connection that is under way in the moment when its address moves to
// another node is lost: connection tracking is each node's own. So for each of
// the moves one probe may fail, if those right before and after it did not.
func unharmed(t *testing.T, what string, r *probe.Report, moves int) {
	t.Helper()
	var when []string
	harmed := r.Good == 0
	for i, a := range r.Answers {
		if a.Reason == "" {
			continue
		}
		when = append(when, fmt.Sprintf("%s at %.0f ms", a.Reason, a.AtMs))
		alone := (i == 0 || r.Answers[i-1].Reason == "") && (i == len(r.Answers)-1 || r.Answers[i+1].Reason == "")
		harmed = harmed || !alone
	}
	switch {
	case harmed || len(when) > moves:
		t.Errorf("%s: %s\n%s", what, r.Text(), strings.Join(when[:min(len(when), 40)], ", "))
	case len(when) > 0:
		t.Logf("%s: connections cut by a move: %s", what, strings.Join(when, ", "))
	}
}

// outage returns the longest time without a good answer, the beginning and the
// end of the run included.
func outage(r *probe.Report) time.Duration {
	longest := max(r.LongestGapMs, r.SilentAtEndMs)
	if r.FirstGoodMs != nil {
		longest = max(longest, *r.FirstGoodMs)
	}
	return time.Duration(longest * float64(time.Millisecond))
}

// url returns what to ask for at addr.
func url(addr netip.Addr) string {
	return "http://" + netip.AddrPortFrom(addr, 80).String() + "/"
}

// answers waits until addr answers the client over HTTP.
func (c *cluster) answers(t *testing.T, addr netip.Addr) {
	t.Helper()
	c.answersWithin(t, addr, patience)
}

// answersWithin waits until addr answers the client over HTTP, for so long.
func (c *cluster) answersWithin(t *testing.T, addr netip.Addr, limit time.Duration) {
	t.Helper()
	eventually(t, limit, addr.String()+" answers", func(ctx context.Context) error {
		out, err := c.output(ctx, "probe", "--json", "--from", "client", "--url", url(addr), "--every", "20ms", "--for", "100ms", "--timeout", "500ms")
		if err != nil {
			return err
		}
		var r probe.Report
		if err := json.Unmarshal(out, &r); err != nil {
			return err
		}
		if r.Failures > 0 {
			return errNot(r.Text(), "no failure")
		}
		return nil
	})
}

// responders asks the segment once, all together and each node alone, and
// returns the hosts that answer for addr.
func (c *cluster) responders(ctx context.Context, addr netip.Addr) ([]string, error) {
	seen := map[string]bool{}
	var hosts []string
	for _, each := range []string{"false", "true"} {
		out, err := c.output(ctx, "arping", "--json", "--from", "client", "--ip", addr.String(), "--each="+each)
		if err != nil {
			return nil, err
		}
		var r arping.Report
		if err := json.Unmarshal(out, &r); err != nil {
			return nil, err
		}
		for _, p := range r.Responders {
			if p.Answers > 0 && !seen[p.Host] {
				seen[p.Host] = true
				hosts = append(hosts, p.Host)
			}
		}
	}
	return hosts, nil
}

// holder returns the node that answers for addr, and fails unless exactly one
// does.
func (c *cluster) holder(t *testing.T, addr netip.Addr) string {
	t.Helper()
	hosts, err := c.responders(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 1 {
		t.Fatalf("%v answer for %s, want one", hosts, addr)
	}
	return hosts[0]
}

// heldByOther says whether exactly one node answers for addr, another than old.
func (c *cluster) heldByOther(ctx context.Context, addr netip.Addr, old string) error {
	hosts, err := c.responders(ctx, addr)
	if err != nil {
		return err
	}
	if len(hosts) != 1 || hosts[0] == old {
		return errNot(hosts, "one, not "+old)
	}
	return nil
}

// heldBy says whether exactly one node answers for addr, the one wanted.
func (c *cluster) heldBy(ctx context.Context, addr netip.Addr, want string) error {
	hosts, err := c.responders(ctx, addr)
	if err == nil && (len(hosts) != 1 || hosts[0] != want) {
		err = errNot(hosts, want)
	}
	return err
}

// settled waits until exactly one node answers for addr.
func (c *cluster) settled(t *testing.T, addr netip.Addr) {
	t.Helper()
	eventually(t, patience, "one node answers", func(ctx context.Context) error {
		return c.heldByOther(ctx, addr, "")
	})
}

// silent waits until nobody answers for addr, which must be soon.
func (c *cluster) silent(t *testing.T, addr netip.Addr) {
	t.Helper()
	took := eventually(t, 5*time.Second, "nobody answers for "+addr.String(), func(ctx context.Context) error {
		hosts, err := c.responders(ctx, addr)
		if err == nil && len(hosts) > 0 {
			err = errNot(hosts, "nobody")
		}
		return err
	})
	t.Logf("%s silent, asked within %v", addr, took.Round(time.Millisecond))
}

// watchARP starts to ask for addr from the client, 100 times a second.
func (c *cluster) watchARP(t *testing.T, addr netip.Addr, d time.Duration) *running[arping.Report] {
	t.Helper()
	return begin[arping.Report](t, c, "arping", "--from", "client", "--ip", addr.String(), "--every", "10ms", "--for", d.String())
}

// overlap returns how long two or more hosts answered.
func overlap(r *arping.Report) time.Duration {
	return time.Duration(r.OverlapMs * float64(time.Millisecond))
}

// A status is what of `lab status` the tests read.
type status struct {
	Kubeconfig string `json:"kubeconfig"`
	Hosts      []struct {
		Name  string         `json:"name"`
		Role  string         `json:"role"`
		Addrs []netip.Prefix `json:"addrs"`
	} `json:"hosts"`
}

// status asks the lab what it is.
func (r *runner) status(ctx context.Context) (*status, error) {
	out, err := r.output(ctx, "status", "--json")
	if err != nil {
		return nil, err
	}
	var s status
	if err := json.Unmarshal(out, &s); err != nil {
		return nil, fmt.Errorf("lab status: %w", err)
	}
	return &s, nil
}

// connect makes the clients for a lab that runs.
func (r *runner) connect(ctx context.Context) (*cluster, error) {
	s, err := r.status(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []string
	var segment netip.Prefix
	for _, h := range s.Hosts {
		segment = h.Addrs[0].Masked()
		if h.Role == "node" {
			nodes = append(nodes, h.Name)
		}
	}
	return connect(r, segment, nodes, s.Kubeconfig)
}

// hostAddr returns the first address of a host of the lab.
func (c *cluster) hostAddr(t *testing.T, name string) netip.Addr {
	t.Helper()
	s, err := c.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.Hosts {
		if h.Name == name {
			return h.Addrs[0].Addr()
		}
	}
	t.Fatalf("lab %s has no host %s", c.name, name)
	return netip.Addr{}
}
