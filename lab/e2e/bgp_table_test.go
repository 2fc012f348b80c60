package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/router"
)

// atOnce bounds what should happen at once, on a machine that is busy.
const atOnce = 10 * time.Second

// defaultPref is the LOCAL_PREF of a route that came without one.
const defaultPref = 100

// up returns the sessions of a router that are up.
func (c *cluster) up(ctx context.Context, name string) ([]router.Session, error) {
	v, err := c.Routes(ctx, name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(v.Sessions, func(s router.Session) bool { return s.State != drive.Established }), nil
}

// table returns what a router knows, a line for each path: the prefix, the host
// that it leads to, and all attributes that are not the default.
func (c *cluster) table(ctx context.Context, name string) ([]string, error) {
	v, err := c.Routes(ctx, name)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, r := range v.Routes {
		for _, p := range r.Paths {
			out = append(out, r.Prefix+" "+c.line(p))
		}
	}
	slices.Sort(out)
	return out, nil
}

// line writes a path.
func (c *cluster) line(p router.Path) string {
	var hops []string
	for _, text := range p.NextHops {
		hop := text
		if a, err := netip.ParseAddr(text); err == nil && c.names[a] != "" {
			hop = c.names[a]
		}
		hops = append(hops, hop)
	}
	out := strings.TrimSpace(strings.Join(hops, "+") + " path " + p.ASPath)
	if p.MED != nil {
		out += fmt.Sprintf(" med %d", *p.MED)
	}
	if p.LocalPref != nil && *p.LocalPref != defaultPref {
		out += fmt.Sprintf(" pref %d", *p.LocalPref)
	}
	if all := slices.Concat(p.Communities, p.LargeCommunities); len(all) > 0 {
		out += " communities " + strings.Join(all, " ")
	}
	return out
}

// paths returns the lines of prefixes that nodes announce with the same
// attributes.
func paths(nodes []string, attributes string, prefixes ...string) []string {
	var out []string
	for _, p := range prefixes {
		for _, n := range nodes {
			out = append(out, p+" "+strings.TrimSpace(n+" "+attributes))
		}
	}
	slices.Sort(out)
	return out
}

// exactly waits until the table of a router is as wanted, and nothing else.
func (c *cluster) exactly(t *testing.T, name, what string, want []string) {
	t.Helper()
	took := eventually(t, atOnce, what+" at "+name, func(ctx context.Context) error {
		got, err := c.table(ctx, name)
		if err != nil {
			return err
		}
		if want == nil {
			want = []string{}
		}
		if d := cmp.Diff(want, got); d != "" {
			return fmt.Errorf("table (-want +got):\n%s", d)
		}
		return nil
	})
	t.Logf("%s at %s after %v", what, name, took.Round(time.Millisecond))
}

// everywhere is exactly for all routers.
func (c *cluster) everywhere(t *testing.T, what string, want []string) {
	t.Helper()
	for _, name := range routers {
		c.exactly(t, name, what, want)
	}
}

// host returns the prefixes of the addresses number n of the routed pool alone,
// one of each family.
func host(n int) []string {
	var out []string
	for _, p := range routed {
		out = append(out, alone(drive.At(p, n)))
	}
	return out
}

// alone returns the prefix of an address alone.
func alone(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }

// addrs returns the addresses number n of the routed pool.
func addrs(n int) []netip.Addr { return []netip.Addr{drive.At(routed[0], n), drive.At(routed[1], n)} }

// routedService applies s with the addresses number n of the routed pool.
func (c *cluster) routedService(t *testing.T, s service, n int) []netip.Addr {
	t.Helper()
	s.annotations = wish(routed, n)
	return c.serveAll(t, s)
}

// A swap is a text of a router's built-in configuration and what stands in its
// place.
type swap struct{ old, replacement string }

// configure gives a router the built-in configuration with some of it replaced,
// and the built-in one again at the end of the test.
func (c *cluster) configure(t *testing.T, name string, options []string, swaps ...swap) {
	t.Helper()
	c.configureWith(t, name, template(t, name), options, swaps...)
}

// template returns the template of the lab's configuration of a router.
func template(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "router", strings.TrimRight(name, "0123456789")+".conf.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// configureWith is configure for another text.
func (c *cluster) configureWith(t *testing.T, name, text string, options []string, swaps ...swap) {
	t.Helper()
	for _, s := range swaps {
		if !strings.Contains(text, s.old) {
			t.Fatalf("configuration of %s has no %q:\n%s", name, s.old, text)
		}
		text = strings.ReplaceAll(text, s.old, s.replacement)
	}
	path := filepath.Join(t.TempDir(), "router.conf.tmpl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.lab(t, "router", append([]string{name, "--config", path}, options...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := c.Output(ctx, "router", name); err != nil {
			t.Error(err)
		}
	})
}
