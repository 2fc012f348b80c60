package host

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// bridge returns the name of the switch's bridge for one side of a partition.
func bridge(side int) string { return fmt.Sprintf("br%d", side) }

// secondBridge is the bridge of the second network, on the same switch. Cuts
// and partitions do not touch it.
const secondBridge = "second"

// secondPort returns the name that the switch gives a host's second link.
func secondPort(host string) string { return host + "-2" }

// CreateSwitch makes the switch with nothing connected.
func CreateSwitch(ctx context.Context, l *state.Lab) error {
	ns := l.Netns(switchName)
	if err := run(ctx, "ip", "netns", "add", ns); err != nil {
		return err
	}
	// A switch has no firewall. Where there is no such setting there is none.
	for _, family := range []string{"iptables", "ip6tables", "arptables"} {
		_, _ = Output(ctx, l, switchName, "sysctl", "-q", "-w", "net.bridge.bridge-nf-call-"+family+"=0")
	}
	lines := append([]string{"link set lo up"}, bridgeLines(bridge(0))...)
	if l.Options.Second {
		lines = append(lines, bridgeLines(secondBridge)...)
	}
	return batch(ctx, ns, lines)
}

// bridgeLines makes a bridge: no spanning tree, no delay before it forwards,
// and multicast to everyone, as a plain switch.
func bridgeLines(name string) []string {
	return []string{
		fmt.Sprintf("link add %s type bridge forward_delay 0 stp_state 0 mcast_snooping 0", name),
		fmt.Sprintf("link set %s up", name),
	}
}

// Create makes the network namespace of h, connects it to the switch and gives
// it its addresses and routes. The switch exists.
func Create(ctx context.Context, l *state.Lab, h state.Host) error {
	ns := l.Netns(h.Name)
	if err := run(ctx, "ip", "netns", "add", ns); err != nil {
		return err
	}
	if err := sysctls(ctx, l, h); err != nil {
		return err
	}
	links, ports := []string{"link set lo up"}, []string(nil)
	for _, c := range cables(h) {
		links = append(links, fmt.Sprintf("link add %s type veth peer name %s netns %s", c.link, c.port, l.Netns(switchName)))
		ports = append(ports, fmt.Sprintf("link set %s master %s", c.port, c.bridge), fmt.Sprintf("link set %s up", c.port))
	}
	if err := batch(ctx, ns, links); err != nil {
		return err
	}
	if err := batch(ctx, l.Netns(switchName), ports); err != nil {
		return err
	}
	return batch(ctx, ns, addressLines(l, h))
}

// A cable leads from a host's link to a bridge of the switch.
type cable struct {
	link, port, bridge string
	addrs              []netip.Prefix
}

// cables returns those of h.
func cables(h state.Host) []cable {
	out := []cable{{"eth0", h.Name, bridge(0), h.Addrs}}
	if len(h.Second) > 0 {
		out = append(out, cable{"eth1", secondPort(h.Name), secondBridge, h.Second})
	}
	return out
}

// addressLines gives h its addresses and, unless it is a router, a default
// route. No duplicate address detection: a second address would be lost to it.
func addressLines(l *state.Lab, h state.Host) []string {
	var lines []string
	for _, c := range cables(h) {
		for _, p := range c.addrs {
			nodad := ""
			if p.Addr().Is6() {
				nodad = " nodad"
			}
			lines = append(lines, fmt.Sprintf("addr add %s dev %s%s", p, c.link, nodad))
		}
		lines = append(lines, "link set "+c.link+" up")
	}
	if h.Role == state.Router {
		return lines
	}
	for _, gw := range l.Gateways() {
		lines = append(lines, fmt.Sprintf("%sroute add default via %s dev eth0", familyFlag(gw), gw))
	}
	return lines
}

// familyFlag is what `ip` wants before a command on an address family.
func familyFlag(a netip.Addr) string {
	if a.Is6() {
		return "-6 "
	}
	return ""
}

// sysctls sets what a host of its role has set. Nothing here touches how ARP
// is answered.
func sysctls(ctx context.Context, l *state.Lab, h state.Host) error {
	set := []string{
		"net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
		"net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
		// A link that was down has its addresses as before when it is up again.
		"net.ipv6.conf.all.keep_addr_on_down=1", "net.ipv6.conf.default.keep_addr_on_down=1",
		// All hosts are on one segment, so a router is never the shortest way: who
		// is told to use it goes on doing so. A router that advertises itself gives
		// nobody a route either.
		"net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.default.accept_redirects=0",
		"net.ipv6.conf.all.accept_redirects=0", "net.ipv6.conf.default.accept_redirects=0",
		"net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0",
		"net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
		"net.ipv4.ping_group_range=0 2147483647",
	}
	if h.Role == state.Node || h.Role == state.Router {
		set = append(set, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.forwarding=1")
	}
	if h.Role == state.Router {
		set = append(set, "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
	}
	_, err := Output(ctx, l, h.Name, append([]string{"sysctl", "-q", "-w"}, set...)...)
	return err
}

// Manage connects this machine to the control plane on host cp.
func Manage(ctx context.Context, l *state.Lab, cp string) error {
	mine, theirs := l.Management()
	link := l.ManagementLink()
	err := batch(ctx, "", []string{
		fmt.Sprintf("link add %s type veth peer name mgmt netns %s", link, l.Netns(cp)),
		fmt.Sprintf("addr add %s dev %s", mine, link),
		fmt.Sprintf("link set %s up", link),
	})
	if err != nil {
		return err
	}
	return batch(ctx, l.Netns(cp), []string{fmt.Sprintf("addr add %s dev mgmt", theirs), "link set mgmt up"})
}

// RoutePods makes a route on the host called on to the pods of node.
func RoutePods(ctx context.Context, l *state.Lab, on string, node state.Host) error {
	var lines []string
	for i, p := range node.PodCIDRs {
		via := node.Addrs[i].Addr()
		lines = append(lines, fmt.Sprintf("%sroute replace %s via %s dev eth0", familyFlag(via), p, via))
	}
	return batch(ctx, l.Netns(on), lines)
}

// UnroutePods takes that route away again.
func UnroutePods(ctx context.Context, l *state.Lab, on string, node state.Host) error {
	var lines []string
	for _, p := range node.PodCIDRs {
		lines = append(lines, fmt.Sprintf("%sroute flush exact %s", familyFlag(p.Addr()), p))
	}
	return batch(ctx, l.Netns(on), lines)
}

// Masquerade lets the pods of node speak to addresses that are nobody's pods
// under the node's own address.
func Masquerade(ctx context.Context, l *state.Lab, node state.Host) error {
	var b strings.Builder
	b.WriteString("table inet lab {\n chain postrouting {\n  type nat hook postrouting priority srcnat; policy accept;\n")
	for i, p := range node.PodCIDRs {
		ip := "ip"
		if p.Addr().Is6() {
			ip = "ip6"
		}
		fmt.Fprintf(&b, "  %s saddr %s %s daddr != %s oifname eth0 masquerade\n", ip, p, ip, l.PodRanges()[i])
	}
	b.WriteString(" }\n}\n")
	c := Command(ctx, l, node.Name, "nft", "-f", "-")
	c.Stdin = strings.NewReader(b.String())
	_, err := output(c, []string{"nft", "-f", "-"})
	return err
}
