package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/probe/arping"
)

// A running is what runs side by side, for each of some addresses, and reports
// at its end. All methods return the reports in the order of the addresses.
type running[R any] []*drive.Running[R]

// begin starts one for each address.
func begin[R any](t *testing.T, addrs []netip.Addr, one func(netip.Addr) (*drive.Running[R], error)) running[R] {
	t.Helper()
	var all running[R]
	for _, addr := range addrs {
		r, err := one(addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Drop)
		all = append(all, r)
	}
	return all
}

// wait waits for the end of all.
func (all running[R]) wait(t *testing.T) []*R {
	t.Helper()
	return all.end(t, (*drive.Running[R]).Wait)
}

// stop ends all early, and they tell what they saw until then.
func (all running[R]) stop(t *testing.T) []*R {
	t.Helper()
	return all.end(t, (*drive.Running[R]).Stop)
}

func (all running[R]) end(t *testing.T, how func(*drive.Running[R]) (*R, error)) []*R {
	t.Helper()
	var out []*R
	for _, r := range all {
		report, err := how(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, report)
	}
	return out
}

// baseline is how long a probe runs before anything is done to what it probes.
const baseline = time.Second

// probe starts to connect to each address from the client, 100 times a second,
// for baseline and then d. It returns when the baseline is over.
func (c *cluster) probe(t *testing.T, addrs []netip.Addr, d time.Duration) running[probe.Report] {
	t.Helper()
	all := begin(t, addrs, func(a netip.Addr) (*drive.Running[probe.Report], error) { return c.Probe(a, baseline+d) })
	always(t, baseline, "probes go on", func(context.Context) error {
		for _, r := range all {
			if err := r.Alive(); err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// watch starts to ask for each address from the client, 100 times a second.
func (c *cluster) watch(t *testing.T, addrs []netip.Addr, d time.Duration) running[arping.Report] {
	t.Helper()
	return begin(t, addrs, func(a netip.Addr) (*drive.Running[arping.Report], error) {
		return c.Ask(a, c.link(a), drive.Every, d)
	})
}

// unharmed fails when a probe was not answered, and says when that was.
//
// A connection that is under way in the moment when its address moves to
// another node is lost: connection tracking is each node's own. So there may
// be a break for each of the moves of an address, if probes between any two of
// them were answered. On a busy machine more than one probe is under way.
func unharmed(t *testing.T, what string, reports []*probe.Report, moves int) {
	t.Helper()
	for _, r := range reports {
		var when []string
		breaks := drive.Breaks(r)
		harmed := r.Good == 0 || len(breaks) > moves
		for i, b := range breaks {
			for _, a := range b {
				when = append(when, fmt.Sprintf("%s at %.1f ms, within %.1f ms", a.Reason, a.AtMs, a.TookMs))
			}
			if i > 0 {
				before := breaks[i-1]
				harmed = harmed || !goodBetween(r, before[len(before)-1], b[0])
			}
		}
		switch {
		case harmed:
			t.Errorf("%s: %s\n%s", what, r.Text(), strings.Join(when[:min(len(when), 40)], "; "))
		case len(when) > 0:
			t.Logf("%s: %s: connections cut by %d of at most %d moves: %s", what, r.URL, len(breaks), moves, strings.Join(when, "; "))
		}
	}
}

// goodBetween reports whether a probe that started between two others was
// answered.
func goodBetween(r *probe.Report, from, to probe.Answer) bool {
	return slices.ContainsFunc(r.Answers, func(a probe.Answer) bool {
		return a.Reason == "" && a.AtMs > from.AtMs && a.AtMs < to.AtMs
	})
}

// outages fails when a probe of the client's saw an outage longer than limit.
func outages(t *testing.T, what string, reports []*probe.Report, limit time.Duration) {
	t.Helper()
	for _, r := range reports {
		t.Logf("%s: %s: longest gap %v, %d connections failed", what, r.URL, drive.Outage(r), r.Failures)
		if drive.Outage(r) > limit {
			t.Errorf("%s: outage longer than %v: %s", what, limit, r.Text())
		}
	}
}

// overlaps fails when two hosts answered for an address for longer than limit.
func overlaps(t *testing.T, what string, reports []*arping.Report, limit time.Duration) {
	t.Helper()
	for _, r := range reports {
		t.Logf("%s: two answered for %s for %v", what, r.Target, drive.Overlap(r))
		if drive.Overlap(r) > limit {
			t.Errorf("%s: two answered longer than %v: %s", what, limit, r.Text())
		}
	}
}

// answers waits until each address answers the client over HTTP.
func (c *cluster) answers(t *testing.T, addrs ...netip.Addr) {
	t.Helper()
	c.answersWithin(t, patience, addrs...)
}

// answersWithin waits until each address answers the client over HTTP, for so
// long.
func (c *cluster) answersWithin(t *testing.T, limit time.Duration, addrs ...netip.Addr) {
	t.Helper()
	for _, addr := range addrs {
		eventually(t, limit, addr.String()+" answers", func(ctx context.Context) error { return c.Reach(ctx, addr) })
	}
}

// link returns the link of every host that leads to the network of addr.
func (c *cluster) link(addr netip.Addr) string {
	if slices.ContainsFunc(c.seconds, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return "eth1"
	}
	return "eth0"
}

// responders returns the hosts that answer for addr.
func (c *cluster) responders(ctx context.Context, addr netip.Addr) ([]string, error) {
	return c.Responders(ctx, addr, c.link(addr))
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

// holders returns the node that answers for each address.
func (c *cluster) holders(t *testing.T, addrs []netip.Addr) []string {
	t.Helper()
	var out []string
	for _, addr := range addrs {
		out = append(out, c.holder(t, addr))
	}
	return out
}

// held waits until exactly one host answers for each address, one that is
// right, and returns them.
func (c *cluster) held(t *testing.T, addrs []netip.Addr, limit time.Duration, what string, right func(host string) bool) []string {
	t.Helper()
	holders := make([]string, len(addrs))
	for i, addr := range addrs {
		eventually(t, limit, fmt.Sprintf("%s: %s", addr, what), func(ctx context.Context) error {
			hosts, err := c.responders(ctx, addr)
			if err == nil && (len(hosts) != 1 || !right(hosts[0])) {
				err = errNot(hosts, "one that is right")
			}
			if err == nil {
				holders[i] = hosts[0]
			}
			return err
		})
	}
	return holders
}

// heldBy waits until node alone answers for each address.
func (c *cluster) heldBy(t *testing.T, addrs []netip.Addr, node string) {
	t.Helper()
	c.held(t, addrs, patience, node+" answers", func(host string) bool { return host == node })
}

// heldByOther waits until exactly one host answers for each address, another
// than node, and returns them.
func (c *cluster) heldByOther(t *testing.T, addrs []netip.Addr, node string) []string {
	t.Helper()
	return c.held(t, addrs, patience, "another than "+node+" answers", func(host string) bool { return host != node })
}

// settled waits until exactly one node answers for each address, and returns
// the nodes.
func (c *cluster) settled(t *testing.T, addrs []netip.Addr) []string {
	t.Helper()
	return c.held(t, addrs, patience, "one node answers", func(host string) bool { return slices.Contains(c.nodes, host) })
}

// stays checks for a while that each address is answered by the same node.
func (c *cluster) stays(t *testing.T, addrs []netip.Addr, holders []string, d time.Duration) {
	t.Helper()
	always(t, d, "every address stays where it is", func(ctx context.Context) error {
		for i, addr := range addrs {
			hosts, err := c.responders(ctx, addr)
			if err != nil {
				return err
			}
			if !slices.Equal(hosts, holders[i:i+1]) {
				return errNot(fmt.Sprint(addr, " answered by ", hosts), holders[i])
			}
		}
		return nil
	})
}

// silent waits until nobody answers for an address, which must be soon.
func (c *cluster) silent(t *testing.T, addrs ...netip.Addr) {
	t.Helper()
	for _, addr := range addrs {
		took := eventually(t, 5*time.Second, "nobody answers for "+addr.String(), func(ctx context.Context) error {
			hosts, err := c.responders(ctx, addr)
			if err == nil && len(hosts) > 0 {
				err = errNot(hosts, "nobody")
			}
			return err
		})
		t.Logf("%s silent, asked within %v", addr, took.Round(time.Millisecond))
	}
}

// hostAddr returns the address of a host of the lab in the family of like.
func (c *cluster) hostAddr(t *testing.T, name string, like netip.Addr) netip.Addr {
	t.Helper()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.Hosts {
		for _, p := range h.Addrs {
			if h.Name == name && p.Addr().Is4() == like.Is4() {
				return p.Addr()
			}
		}
	}
	t.Fatalf("lab %s has no host %s with an address like %s", c.Name(), name, like)
	return netip.Addr{}
}
