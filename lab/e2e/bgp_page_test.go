package e2e

import (
	"os"
	"strings"
	"testing"
)

// page is where routers are shown to users.
const page = "../../docs/bgp.md"

// pageBlock returns the block of the page whose fence has this word after it:
// "```text NAME".
func pageBlock(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "\n```text "+name+"\n")
	block, _, ended := strings.Cut(rest, "\n```")
	if !found || !ended {
		t.Fatalf("%s: no block %q", page, name)
	}
	return block + "\n"
}

// documentation puts the lab's own in the place of what the page has: its
// addresses are those for documentation (RFC 5737, RFC 3849). Logs tell when
// sessions began, in the form that the lab reads.
func documentation(name string) []swap {
	out := []swap{{"192.0.2.1", "{{.RouterID}}"}}
	if name == bird1 {
		out = append(out, swap{"{{.RouterID}};\n", "{{.RouterID}};\ntimeformat protocol iso long ms;\ntimeformat route iso long ms;\n"})
	}
	return out
}

// segment is documentation for a block that has the addresses of the network.
func segment(name string) []swap {
	return append(documentation(name), swap{"192.0.2.0/24", "{{index .Segment 0}}"}, swap{"2001:db8::/64", "{{index .Segment 1}}"})
}

// The configurations of routers on the page are taken by real routers as they
// stand, but for the addresses, and have the sessions and routes that the page
// promises.
func testPage(t *testing.T, c *cluster) {
	for _, name := range routers {
		kind := strings.TrimRight(name, "0123456789")
		c.configureWith(t, name, pageBlock(t, kind), nil, segment(name)...)
	}
	c.apply(t, fastBFD)
	c.peering(t, bothRouters("bfdProfile: fast, gracefulRestart: true")...)
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "documented"}, 1)
	c.everywhere(t, "the page", paths(c.nodes, "path 64512", host(1)...))
	for _, name := range routers {
		c.bfdUp(t, name, len(c.nodes))
	}
}
