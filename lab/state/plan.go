package state

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Family is which IP families a lab runs.
type Family int

// The families of a lab.
const (
	IPv4 Family = iota + 1
	IPv6
	Dual
)

// String returns the word that the flag --ip-family takes.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	case Dual:
		return "dual"
	}
	return "Family(" + strconv.Itoa(int(f)) + ")"
}

// Has4 reports whether the lab has IPv4.
func (f Family) Has4() bool { return f == IPv4 || f == Dual }

// Has6 reports whether the lab has IPv6.
func (f Family) Has6() bool { return f == IPv6 || f == Dual }

// ParseFamily reads what String writes.
func ParseFamily(s string) (Family, error) {
	for _, f := range []Family{IPv4, IPv6, Dual} {
		if s == f.String() {
			return f, nil
		}
	}
	return 0, fmt.Errorf("ip family %q: want ipv4, ipv6 or dual", s)
}

// MarshalText writes f as String does.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads f as ParseFamily does.
func (f *Family) UnmarshalText(b []byte) error {
	var err error
	*f, err = ParseFamily(string(b))
	return err
}

// The numbers of hosts on the segment. A host's number is the last part of its
// IPv4 address and, read as hexadecimal digits, of its IPv6 address, so that
// both look alike. Everything from 100 up is left free for pools.
const (
	gatewayNumber = 1
	clientNumber  = 2 // clients: 2 to 4
	routerNumber  = 5 // routers: 5 to 9
	cpNumber      = 10
	nodeNumber    = 10 // nodes: 11 to 99
	maxClients    = 3
	maxRouters    = 5
	maxNodes      = 89
)

// Check refuses options that no lab can have.
func (o Options) Check() error {
	switch {
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return fmt.Errorf("nodes %d: want 1 to %d", o.Nodes, maxNodes)
	case o.Clients < 0 || o.Clients > maxClients:
		return fmt.Errorf("clients %d: want 0 to %d", o.Clients, maxClients)
	case len(o.Routers) > maxRouters:
		return fmt.Errorf("routers %v: want at most %d", o.Routers, maxRouters)
	case o.Proxy != NFTables && o.Proxy != IPTables:
		return fmt.Errorf("kube-proxy mode %q: want nftables or iptables", o.Proxy)
	case o.ProxyMinSync < 0:
		return fmt.Errorf("kube-proxy minimum sync %v: negative", o.ProxyMinSync)
	}
	for _, r := range o.Routers {
		if r != "frr" && r != "bird" {
			return fmt.Errorf("router %q: want frr or bird", r)
		}
	}
	return nil
}

// pick returns v4, v6 or both, as the lab's family says, IPv4 first.
func pick[T any](f Family, v4, v6 T) []T {
	var out []T
	if f.Has4() {
		out = append(out, v4)
	}
	if f.Has6() {
		out = append(out, v6)
	}
	return out
}

// Segment returns the prefixes of the switched segment.
func (l *Lab) Segment() []netip.Prefix {
	return pick(l.Options.Family,
		netip.MustParsePrefix(fmt.Sprintf("172.30.%d.0/24", l.Index)),
		netip.MustParsePrefix(fmt.Sprintf("fd30:%d::/64", l.Index)))
}

// onSegment returns the addresses of host number n on the segment.
func (l *Lab) onSegment(n int) []netip.Prefix {
	return pick(l.Options.Family,
		netip.MustParsePrefix(fmt.Sprintf("172.30.%d.%d/24", l.Index, n)),
		netip.MustParsePrefix(fmt.Sprintf("fd30:%d::%d/64", l.Index, n)))
}

// SecondNetwork returns the prefixes of the second network, none in a lab that
// does not have it.
func (l *Lab) SecondNetwork() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range l.onSecond(0) {
		out = append(out, p.Masked())
	}
	return out
}

// onSecond returns the addresses of host number n on the second network.
func (l *Lab) onSecond(n int) []netip.Prefix {
	if !l.Options.Second {
		return nil
	}
	return pick(l.Options.Family,
		netip.MustParsePrefix(fmt.Sprintf("172.31.%d.%d/24", l.Index, n)),
		netip.MustParsePrefix(fmt.Sprintf("fd31:%d::%d/64", l.Index, n)))
}

// host returns a host with its addresses, by its number.
func (l *Lab) host(name string, role Role, n int) Host {
	return Host{Name: name, Role: role, Addrs: l.onSegment(n), Second: l.onSecond(n)}
}

// Gateways returns the next hops of default routes on nodes and clients: the
// first router, or an address that nobody has when there is none. A node needs
// a default route even then: the kernel looks one up for a service address
// before kube-proxy's rules rewrite it.
func (l *Lab) Gateways() []netip.Addr {
	addrs := l.onSegment(gatewayNumber)
	if r := l.ByRole(Router); len(r) > 0 {
		addrs = r[0].Addrs
	}
	var out []netip.Addr
	for _, p := range addrs {
		out = append(out, p.Addr())
	}
	return out
}

// PodRanges returns the ranges of all pods. Labs do not see each other's pods,
// so every lab has the same.
func (l *Lab) PodRanges() []netip.Prefix {
	return pick(l.Options.Family,
		netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("fd00:10:244::/48"))
}

// podCIDRs returns the pod ranges of node i.
func (l *Lab) podCIDRs(i int) []netip.Prefix {
	return pick(l.Options.Family,
		netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", i)),
		netip.MustParsePrefix(fmt.Sprintf("fd00:10:244:%d::/64", i)))
}

// ServiceRanges returns the ranges of cluster IPs.
func (l *Lab) ServiceRanges() []netip.Prefix {
	return pick(l.Options.Family,
		netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00:10:96::/112"))
}

// APIServices returns the first address of each range of cluster IPs, which is
// the Service kubernetes'.
func (l *Lab) APIServices() []netip.Addr {
	var out []netip.Addr
	for _, p := range l.ServiceRanges() {
		out = append(out, p.Addr().Next())
	}
	return out
}

// Management returns the addresses of the link between this machine and the
// control plane: the machine's own end, and the API server's.
func (l *Lab) Management() (machine, apiServer netip.Prefix) {
	return netip.MustParsePrefix(fmt.Sprintf("100.64.%d.1/30", l.Index)),
		netip.MustParsePrefix(fmt.Sprintf("100.64.%d.2/30", l.Index))
}

// ManagementLink returns the name of the machine's own end of that link.
func (l *Lab) ManagementLink() string { return fmt.Sprintf("lab%d-mgmt", l.Index) }

// NodeHost returns what node i is, from 1; it is not added to the lab.
func (l *Lab) NodeHost(i int) Host {
	h := l.host("node"+strconv.Itoa(i), Node, nodeNumber+i)
	h.PodCIDRs = l.podCIDRs(i)
	return h
}

// NodeNamed returns what the node called name is, whether or not it is in the
// lab.
func (l *Lab) NodeNamed(name string) (Host, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "node"))
	if err != nil || i < 1 || i > maxNodes || name != "node"+strconv.Itoa(i) {
		return Host{}, fmt.Errorf("node %q: want node1 to node%d", name, maxNodes)
	}
	return l.NodeHost(i), nil
}

// NextNode returns the lowest node that is not in the lab.
func (l *Lab) NextNode() (Host, error) {
	for i := 1; i <= maxNodes; i++ {
		h := l.NodeHost(i)
		if !l.Has(h.Name) {
			return h, nil
		}
	}
	return Host{}, fmt.Errorf("lab %q: has %d nodes, the most there can be", l.Name, maxNodes)
}

// planHosts returns the hosts that the options ask for.
func (l *Lab) planHosts() []Host {
	hosts := []Host{l.host("cp", ControlPlane, cpNumber)}
	for i := 1; i <= l.Options.Nodes; i++ {
		hosts = append(hosts, l.NodeHost(i))
	}
	for i := range l.Options.Clients {
		name := "client"
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		hosts = append(hosts, l.host(name, Client, clientNumber+i))
	}
	kinds := map[string]int{}
	for i, kind := range l.Options.Routers {
		kinds[kind]++
		h := l.host(kind+strconv.Itoa(kinds[kind]), Router, routerNumber+i)
		h.Kind = kind
		hosts = append(hosts, h)
	}
	return hosts
}
