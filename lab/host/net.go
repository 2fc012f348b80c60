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
	return batch(ctx, ns, append([]string{"link set lo up"}, bridgeLines(0)...))
}

// bridgeLines makes the bridge of one side: no spanning tree, no delay before
// it forwards, and multicast to everyone, as a plain switch.
func bridgeLines(side int) []string {
	return []string{
		fmt.Sprintf("link add %s type bridge forward_delay 0 stp_state 0 mcast_snooping 0", bridge(side)),
		fmt.Sprintf("link set %s up", bridge(side)),
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
	link := fmt.Sprintf("link add eth0 type veth peer name %s netns %s", h.Name, l.Netns(switchName))
	if err := batch(ctx, ns, []string{link, "link set lo up"}); err != nil {
		return err
	}
	port := []string{fmt.Sprintf("link set %s master %s", h.Name, bridge(0)), fmt.Sprintf("link set %s up", h.Name)}
	if err := batch(ctx, l.Netns(switchName), port); err != nil {
		return err
	}
	return batch(ctx, ns, addressLines(l, h))
}

// addressLines gives h its addresses and, unless it is a router, a default
// route. No duplicate address detection: a second address would be lost to it.
func addressLines(l *state.Lab, h state.Host) []string {
	var lines []string
	for _, p := range h.Addrs {
		nodad := ""
		if p.Addr().Is6() {
			nodad = " nodad"
		}
		lines = append(lines, fmt.Sprintf("addr add %s dev eth0%s", p, nodad))
	}
	lines = append(lines, "link set eth0 up")
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
