package state

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Phase is how far a lab has come.
type Phase string

// The phases of a lab. A lab that is found Starting or Stopping while nobody
// holds its lock was left by a crash.
const (
	Starting Phase = "starting"
	Running  Phase = "running"
	Stopping Phase = "stopping"
)

// Role is what a host is there for.
type Role string

// The roles of hosts.
const (
	ControlPlane Role = "control-plane"
	Node         Role = "node"
	Client       Role = "client"
	Router       Role = "router"
)

// ProxyMode is the mode of kube-proxy.
type ProxyMode string

// The modes of kube-proxy that a lab can run.
const (
	NFTables ProxyMode = "nftables"
	IPTables ProxyMode = "iptables"
)

// Options is what the user asked `lab up` for.
type Options struct {
	Nodes   int       `json:"nodes"`
	Clients int       `json:"clients"`
	Routers []string  `json:"routers,omitempty"` // kinds: frr, bird
	Family  Family    `json:"ipFamily"`
	Proxy   ProxyMode `json:"kubeProxy"`
	// ProxyMinSync is kube-proxy's minSyncPeriod.
	ProxyMinSync time.Duration `json:"kubeProxyMinSyncNanoseconds"`
	ImageRepo    string        `json:"imageRepo"`
	// Second gives every host a link to a second network too.
	Second bool `json:"second,omitempty"`
}

// Host is one host of a lab: a network namespace with a link to the switch.
type Host struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Kind is what a router runs, "frr" or "bird"; empty for others.
	Kind string `json:"kind,omitempty"`
	// Addrs are its addresses on the segment, IPv4 first.
	Addrs []netip.Prefix `json:"addrs"`
	// Second are its addresses on the second network, in the order of Addrs;
	// none in a lab that has no such network.
	Second []netip.Prefix `json:"second,omitempty"`
	// PodCIDRs are a node's pod ranges, in the order of Addrs.
	PodCIDRs []netip.Prefix `json:"podCIDRs,omitempty"`
	// Joining is true until a node that joins is Ready for the first time; a
	// crash leaves it so.
	Joining bool `json:"joining,omitempty"`
	// Cut is true between `lab cut` and `lab heal`.
	Cut bool `json:"cut,omitempty"`
	// Side is the part of a partitioned segment that the host is on; zero
	// means the first, on which all hosts are when nothing is partitioned.
	Side int `json:"side,omitempty"`
}

// Addr returns the host's first address.
func (h Host) Addr() netip.Addr { return h.Addrs[0].Addr() }

// Process is a daemon that the lab started.
type Process struct {
	Host string `json:"host"`
	// Name is unique on its host: "kubelet", "etcd".
	Name string   `json:"name"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Log  string   `json:"log"`
	// PID is zero before the first start.
	PID int `json:"pid"`
	// Born is when the process started, in the kernel's clock ticks since
	// boot: with PID it names one process for ever.
	Born uint64 `json:"born"`
	// Killed is true when `lab kill` ended it, so that its absence is meant.
	Killed bool `json:"killed,omitempty"`
}

// Lab is one lab as its file has it.
type Lab struct {
	Name string `json:"name"`
	// Index tells the subnets of labs apart; 1 to 255.
	Index   int     `json:"index"`
	Phase   Phase   `json:"phase"`
	Options Options `json:"options"`
	// Dir holds files that last as long as the lab, RunDir sockets.
	Dir       string    `json:"dir"`
	RunDir    string    `json:"runDir"`
	Created   time.Time `json:"created"`
	Hosts     []Host    `json:"hosts"`
	Processes []Process `json:"processes"`
}

// names is what a lab may be called: a part of network namespace names, which
// are NAME-HOST, so it has no dash.
var names = regexp.MustCompile(`^[a-z][a-z0-9]{0,9}$`)

// CheckName refuses a name that no lab can have.
func CheckName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("lab name %q: want 1 to 10 lower-case letters and digits, a letter first", name)
	}
	return nil
}

// Host returns the host called name.
func (l *Lab) Host(name string) (Host, error) {
	for _, h := range l.Hosts {
		if h.Name == name {
			return h, nil
		}
	}
	return Host{}, fmt.Errorf("host %q: lab %q has %v", name, l.Name, l.HostNames())
}

// Has reports whether there is a host called name.
func (l *Lab) Has(name string) bool {
	_, err := l.Host(name)
	return err == nil
}

// HostNames returns the names of all hosts in the order they were added.
func (l *Lab) HostNames() []string {
	var out []string
	for _, h := range l.Hosts {
		out = append(out, h.Name)
	}
	return out
}

// ByRole returns the hosts that have role.
func (l *Lab) ByRole(role Role) []Host {
	return slices.DeleteFunc(slices.Clone(l.Hosts), func(h Host) bool { return h.Role != role })
}

// Process returns the daemon called name on host.
func (l *Lab) Process(host, name string) (Process, bool) {
	i := l.process(host, name)
	if i < 0 {
		return Process{}, false
	}
	return l.Processes[i], true
}

func (l *Lab) process(host, name string) int {
	return slices.IndexFunc(l.Processes, func(p Process) bool { return p.Host == host && p.Name == name })
}

// SetProcess records p in place of the process of its host and name.
func (l *Lab) SetProcess(p Process) {
	if i := l.process(p.Host, p.Name); i >= 0 {
		l.Processes[i] = p
		return
	}
	l.Processes = append(l.Processes, p)
}

// SetHost records h in place of the host of its name.
func (l *Lab) SetHost(h Host) {
	i := slices.IndexFunc(l.Hosts, func(o Host) bool { return o.Name == h.Name })
	if i >= 0 {
		l.Hosts[i] = h
		return
	}
	l.Hosts = append(l.Hosts, h)
}

// RemoveHost forgets a host and its processes.
func (l *Lab) RemoveHost(name string) {
	l.Hosts = slices.DeleteFunc(l.Hosts, func(h Host) bool { return h.Name == name })
	l.Processes = slices.DeleteFunc(l.Processes, func(p Process) bool { return p.Host == name })
}

// Path returns a path below the lab's files.
func (l *Lab) Path(elem ...string) string {
	return filepath.Join(append([]string{l.Dir}, elem...)...)
}

// RunPath returns a path below the lab's sockets.
func (l *Lab) RunPath(elem ...string) string {
	return filepath.Join(append([]string{l.RunDir}, elem...)...)
}

// Netns returns the name of a host's network namespace.
func (l *Lab) Netns(host string) string { return l.Name + "-" + host }

// Cgroup returns the parent cgroup of everything a node's pods run, relative
// to the root of a hierarchy; with an empty host that of the whole lab.
func (l *Lab) Cgroup(host string) string { return filepath.Join("/lab", l.Name, host) }

// Kubeconfig returns where the administrator's kubeconfig is.
func (l *Lab) Kubeconfig() string { return l.Path("kubeconfig") }
