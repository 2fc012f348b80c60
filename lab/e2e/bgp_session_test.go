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
	"github.com/heraldlb/herald/lab/router"
)

// secret returns the Secret of a password as YAML.
func secret(name, password string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\nstringData: {password: %s}\n", name, namespace, password)
}

// md5 returns what gives all speakers one password at a router.
func md5(name, password string) swap {
	if name == frr1 {
		const asn = " neighbor SPEAKERS capability extended-nexthop\n"
		return swap{asn, asn + " neighbor SPEAKERS password " + password + "\n"}
	}
	return swap{"\tpassive on;\n", "\tpassive on;\n\tpassword \"" + password + "\";\n"}
}

// A password of one peer is changed and no session with another one is lost.
func testPasswords(t *testing.T, c *cluster) {
	c.apply(t, secret("frr", "first")+secret("bird", "other"))
	c.configure(t, frr1, nil, md5(frr1, "first"))
	c.configure(t, bird1, nil, md5(bird1, "other"))
	c.peering(t, peer{router: frr1, more: "passwordSecret: frr"}, peer{router: bird1, v6: true, more: "passwordSecret: bird"})
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "signed"}, 1)
	c.everywhere(t, "with passwords", paths(c.nodes, "path 64512", host(1)...))
	c.rotated(t, frr1, bird1, "frr", func() {
		c.lab(t, "router", frr1, "--command", "configure terminal", "--command", "router bgp 64513",
			"--command", "neighbor SPEAKERS password second")
	})
	c.rotated(t, bird1, frr1, "bird", func() { c.configure(t, bird1, []string{"--reload"}, md5(bird1, "second")) })
}

// rotated changes the password of a router, and the Secret that has it, and waits
// until all of its sessions are new, while those of another router are not.
func (c *cluster) rotated(t *testing.T, name, other, password string, change func()) {
	t.Helper()
	since := moment()
	change()
	c.apply(t, secret(password, "second"))
	eventually(t, patience, "new sessions of "+name, func(ctx context.Context) error {
		up, err := c.up(ctx, name)
		old := func(s router.Session) bool { return s.UpSeconds > time.Since(since).Seconds() }
		if err == nil && (len(up) != len(c.nodes) || slices.ContainsFunc(up, old)) {
			err = errNot(up, "new sessions")
		}
		return err
	})
	c.exactly(t, name, "with the new password", paths(c.nodes, "path 64512", host(1)...))
	c.undisturbed(t, other, "password of the other peer changed", since)
}

// session returns the one session of a router that is up.
func (c *cluster) session(t *testing.T, name string) router.Session {
	t.Helper()
	up, err := c.up(t.Context(), name)
	if err != nil || len(up) != 1 {
		t.Fatalf("%s: sessions %v (%v), want one", name, up, err)
	}
	return up[0]
}

// A router sees what a peer's settings say.
func testSettings(t *testing.T, c *cluster) {
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "set"}, 1)
	want := paths([]string{"node1"}, "path 64512", host(1)...)
	extra := netip.PrefixFrom(drive.At(c.segments[0], 90), c.segments[0].Bits())
	c.lab(t, "exec", "node1", "--", "ip", "addr", "add", extra.String(), "dev", "eth0")
	t.Cleanup(func() {
		if _, err := c.Output(context.Background(), "exec", "node1", "--", "ip", "addr", "del", extra.String(), "dev", "eth0"); err != nil {
			t.Error(err)
		}
	})
	c.names[extra.Addr()] = "node1"
	one := []string{"node1"}
	tests := []struct {
		name  string
		peer  peer
		swaps []swap
		right func(router.Session) bool
	}{
		{"source, identifier, hold time", peer{router: frr1, more: fmt.Sprintf("sourceAddress: %q, routerID: 192.0.2.77, holdTime: 6s, keepaliveTime: 1s", extra.Addr())}, nil,
			func(s router.Session) bool {
				return s.Peer == extra.Addr().String() && s.RouterID == "192.0.2.77" && s.HoldSeconds == 6
			}},
		{"port, any external ASN", peer{router: bird1, asn: -1, more: "peerPort: 1179, dynamicASN: external"},
			[]swap{{"local as {{.ASN}};", "local port 1179 as {{.ASN}};"}}, nil},
		{"TTL security", peer{router: frr1, more: "ttlSecurity: true"},
			[]swap{{" neighbor SPEAKERS capability extended-nexthop\n", " neighbor SPEAKERS capability extended-nexthop\n neighbor SPEAKERS ttl-security hops 1\n"}}, nil},
		{"TTL security over IPv6", peer{router: bird1, v6: true, more: "ttlSecurity: true"},
			[]swap{{"\tpassive on;\n", "\tpassive on;\n\tttl security on;\n"}}, nil},
		{"for ever", peer{router: bird1, more: "holdTime: 0s"}, nil, func(s router.Session) bool { return s.HoldSeconds == 0 }},
		{"graceful restart", peer{router: frr1, v6: true, more: "gracefulRestart: true"}, nil, func(s router.Session) bool { return s.GracefulRestart }},
		{"BFD", peer{router: bird1, more: "bfdProfile: fast"}, nil, nil},
	}
	c.apply(t, fastBFD)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.swaps != nil {
				c.configure(t, tt.peer.router, nil, tt.swaps...)
			}
			tt.peer.on = one
			c.peering(t, tt.peer)
			c.exactly(t, tt.peer.router, tt.name, want)
			if s := c.session(t, tt.peer.router); tt.right != nil && !tt.right(s) {
				t.Errorf("session %+v", s)
			}
			if strings.Contains(tt.peer.more, "bfdProfile") {
				c.bfdUp(t, tt.peer.router, 1)
			}
		})
	}
}

// fastBFD is a BFDProfile that knows of a dead router after 150 ms.
const fastBFD = `
---
apiVersion: heraldlb.io/v1beta1
kind: BFDProfile
metadata: {name: fast}
spec: {receiveInterval: 50, transmitInterval: 50, detectMultiplier: 3}
`

// bfdUp waits until n sessions of a router are watched by BFD.
func (c *cluster) bfdUp(t *testing.T, name string, n int) {
	t.Helper()
	eventually(t, patience, name+" watches by BFD", func(ctx context.Context) error {
		up, err := c.up(ctx, name)
		if err != nil {
			return err
		}
		watched := slices.DeleteFunc(up, func(s router.Session) bool { return s.BFD != "up" })
		if len(watched) != n {
			return errNot(fmt.Sprint(len(watched), " watched"), n)
		}
		return nil
	})
}

// far are the addresses of BIRD that only lead through FRR.
var far = []netip.Prefix{netip.MustParsePrefix("192.0.2.6/32"), netip.MustParsePrefix("2001:db8::6/128")}

// A router several hops away has sessions over both families, watched by BFD,
// and its routes.
func testMultiHop(t *testing.T, c *cluster) {
	for i, p := range far {
		through := c.hostAddr(t, frr1, c.segments[i].Addr())
		c.lab(t, "exec", bird1, "--", "ip", "addr", "add", p.String(), "dev", "lo")
		t.Cleanup(func() {
			if _, err := c.Output(context.Background(), "exec", bird1, "--", "ip", "addr", "del", p.String(), "dev", "lo"); err != nil {
				t.Error(err)
			}
		})
		if err := c.Via(t.Context(), frr1, p, c.hostAddr(t, bird1, c.segments[i].Addr())); err != nil {
			t.Fatal(err)
		}
		for _, node := range c.nodes {
			if err := c.Via(t.Context(), node, p, through); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.configure(t, bird1, nil, swap{"\tdirect;\n", "\tmultihop 3;\n"}, swap{"protocol device {", "protocol direct { ipv4; ipv6; }\n\nprotocol device {"},
		swap{"interface \"*\" {", "multihop {"},
		swap{"dynamic name \"peer{{$i}}_\";", "dynamic name \"peer{{$i}}_\";\n\tlocal " + fmt.Sprintf("{{if $i}}%s{{else}}%s{{end}};", far[1].Addr(), far[0].Addr())})
	// BIRD sends BFD over several hops with a TTL of 64.
	c.apply(t, strings.NewReplacer("name: fast", "name: far", "spec: {", "spec: {minimumTTL: 60, ").Replace(fastBFD))
	const more = "ebgpMultiHop: true, bfdProfile: far"
	c.peering(t,
		peer{router: bird1, name: "far4", address: far[0].Addr().String(), more: more},
		peer{router: bird1, name: "far6", address: far[1].Addr().String(), more: more})
	c.advertise(t, "a", "peers: [far4]")
	c.routedService(t, service{name: "farther"}, 1)
	c.exactly(t, bird1, "several hops away", paths(c.nodes, "path 64512", host(1)...))
	c.bfdUp(t, bird1, 2*len(c.nodes))
}
