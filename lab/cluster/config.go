package cluster

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/heraldlb/herald/lab/state"
)

// object is a configuration object in JSON, which every reader of YAML takes.
type object = map[string]any

func marshal(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("cluster: marshal configuration: " + err.Error())
	}
	return append(data, '\n')
}

// kubeletConfig returns the kubelet's configuration. Timings are the defaults,
// so that a node that is cut off is found out as it would be elsewhere.
func kubeletConfig(l *state.Lab, node state.Host) []byte {
	var dns []string
	for _, p := range l.ServiceRanges() {
		a := p.Addr()
		for range 10 {
			a = a.Next()
		}
		dns = append(dns, a.String())
	}
	return marshal(object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": pkiPath(l, "ca.crt")},
		},
		"authorization":            object{"mode": "Webhook"},
		"clusterDNS":               dns,
		"clusterDomain":            "cluster.local",
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket(l, node.Name),
		"resolvConf":               l.Path(node.Name, "resolv.conf"),
		"podLogsDir":               l.Path(node.Name, "pod-logs"),
		"volumePluginDir":          l.Path(node.Name, "volume-plugins"),

		// All pods of a node are below one cgroup, by which they are found.
		// Nothing is set aside on it: the machine is shared by all nodes.
		"cgroupRoot":             l.Cgroup(node.Name),
		"cgroupDriver":           "cgroupfs",
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		"failSwapOn":             false,

		// All nodes share this machine's disk: none may evict pods for it or
		// collect images that were loaded into it.
		"localStorageCapacityIsolation": false,
		"evictionHard":                  object{"memory.available": "50Mi"},
		"imageGCHighThresholdPercent":   100,
	})
}

// proxyConfig returns kube-proxy's configuration.
func proxyConfig(l *state.Lab, node state.Host) []byte {
	sync := l.Options.ProxyMinSync.String()
	return marshal(object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"clientConnection": object{"kubeconfig": l.Path(node.Name, "kube-proxy.kubeconfig")},
		"hostnameOverride": node.Name,
		"clusterCIDR":      joined(l.PodRanges()),
		"mode":             string(l.Options.Proxy),
		"nftables":         object{"minSyncPeriod": sync},
		"iptables":         object{"minSyncPeriod": sync},
		// The size of the table of connections is the machine's, not a host's.
		"conntrack": object{"maxPerCore": 0, "min": 0},
	})
}

// nodeObject returns the Node as the lab makes it before its kubelet comes, so
// that it has its pod ranges from the start.
func nodeObject(node state.Host) object {
	var cidrs []string
	for _, p := range node.PodCIDRs {
		cidrs = append(cidrs, p.String())
	}
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": node.Name},
		"spec":     object{"podCIDR": cidrs[0], "podCIDRs": cidrs},
	}
}

// cniConfig returns the pod network of a node: a bridge with its pod ranges.
// Pods of other nodes are reached by routes, so nothing is masqueraded here.
func cniConfig(l *state.Lab, node state.Host) []byte {
	var ranges [][]object
	var routes []object
	for _, p := range node.PodCIDRs {
		ranges = append(ranges, []object{{"subnet": p.String()}})
		any := netip.IPv4Unspecified()
		if p.Addr().Is6() {
			any = netip.IPv6Unspecified()
		}
		routes = append(routes, object{"dst": any.String() + "/0"})
	}
	return marshal(object{
		"cniVersion": "0.4.0", "name": "lab",
		"plugins": []object{{
			"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
			"ipam": object{
				"type": "host-local", "dataDir": l.Path(node.Name, "cni-ipam"), "ranges": ranges, "routes": routes,
			},
		}},
	})
}

// containerdConfig returns containerd's configuration.
func containerdConfig(l *state.Lab, node state.Host, pause string) []byte {
	return fmt.Appendf(nil, `version = 2
root = %q
state = %q
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Lowering a score needs a capability that not every machine grants.
  restrict_oom_score_adj = true
  # Namespaces of pods go with the node's own directory.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    # Works on every file system that the lab's directory may be on.
    snapshotter = "native"
    disable_snapshot_annotations = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`, l.Path(node.Name, "containerd"), l.RunPath(node.Name, "containerd"), ContainerdSocket(l, node.Name),
		l.Path(node.Name, "opt"), pause, l.Path(node.Name, "cni"))
}
