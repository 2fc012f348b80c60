package e2e

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Each router in turn is at the other end of a link of node1's that has no
// address but the link's own. Routes of both families have its next hop.
func testUnnumbered(t *testing.T, c *cluster) {
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "unnumbered"}, 1)
	links := c.linkLocals(t, "node1")
	for _, name := range routers {
		t.Run(name, func(t *testing.T) {
			kind := strings.TrimRight(name, "0123456789")
			c.configureWith(t, name, pageBlock(t, kind+" unnumbered"), nil, documentation(name)...)
			c.peering(t, peer{
				router: name, name: "uplink", address: "none", asn: -1,
				more: "interface: eth0, dynamicASN: external", on: []string{"node1"},
			})
			var got []string
			eventually(t, atOnce, "routes of both families", func(ctx context.Context) error {
				v, err := c.Routes(ctx, name)
				if err != nil {
					return err
				}
				got = nil
				for _, r := range v.Routes {
					for _, p := range r.Paths {
						if slices.ContainsFunc(p.NextHops, func(h string) bool { return slices.Contains(links, h) }) {
							got = append(got, r.Prefix)
						}
					}
				}
				if !slices.Equal(got, host(1)) {
					return errNot(got, host(1))
				}
				return nil
			})
			for _, addr := range addrs(1) {
				eventually(t, patience, addr.String()+" answers through "+name, func(ctx context.Context) error {
					return c.ReachFrom(ctx, clientOf[name], addr)
				})
			}
		})
	}
}

// linkLocals returns the link-local addresses of a host's first link.
func (c *cluster) linkLocals(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for _, field := range strings.Fields(c.lab(t, "exec", name, "--", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "link")) {
		if p, err := netip.ParsePrefix(field); err == nil {
			out = append(out, p.Addr().String())
		}
	}
	return out
}
