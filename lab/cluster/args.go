package cluster

import (
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// etcdURL is where etcd serves the API server, on the loopback of host cp.
const etcdURL = "http://127.0.0.1:2379"

// etcdArgs returns etcd's command line. A lab's data is worth no fsync.
func etcdArgs(l *state.Lab, bin string) []string {
	const peer = "http://127.0.0.1:2380"
	return []string{
		filepath.Join(bin, "etcd"), "--name=cp", "--data-dir=" + l.Path("cp", "etcd"),
		"--listen-client-urls=" + etcdURL, "--advertise-client-urls=" + etcdURL,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=cp=" + peer,
		"--unsafe-no-fsync", "--log-level=warn",
	}
}

// apiServerArgs returns the API server's command line.
func apiServerArgs(l *state.Lab, bin string) []string {
	bind := "::"
	if !l.Options.Family.Has6() {
		bind = "0.0.0.0"
	}
	return []string{
		filepath.Join(bin, "kube-apiserver"),
		"--etcd-servers=" + etcdURL,
		"--bind-address=" + bind,
		"--advertise-address=" + l.ByRole(state.ControlPlane)[0].Addr().String(),
		"--cert-dir=" + l.Path("cp", "pki"),
		"--tls-cert-file=" + pkiPath(l, "apiserver.crt"),
		"--tls-private-key-file=" + pkiPath(l, "apiserver.key"),
		"--client-ca-file=" + pkiPath(l, "ca.crt"),
		"--kubelet-client-certificate=" + pkiPath(l, "kubelet-client.crt"),
		"--kubelet-client-key=" + pkiPath(l, "kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pkiPath(l, "accounts.pub"),
		"--service-account-signing-key-file=" + pkiPath(l, "accounts.key"),
		"--service-cluster-ip-range=" + joined(l.ServiceRanges()),
		"--allow-privileged",
		"--audit-policy-file=" + l.Path("cp", "audit-policy.yaml"),
		"--audit-log-path=" + AuditLog(l),
	}
}

// AuditLog returns where the API server writes what it was asked.
func AuditLog(l *state.Lab) string { return l.Path("cp", "audit.log") }

// auditPolicy notes every request once, when it was answered, by whom and for
// what, without its content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// controllerManagerArgs returns the controller manager's command line. There
// is one of it, so it elects no leader; nodes bring their pod ranges.
func controllerManagerArgs(l *state.Lab, bin string) []string {
	config := l.Path("cp", "kube-controller-manager.kubeconfig")
	return []string{
		filepath.Join(bin, "kube-controller-manager"),
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file=" + pkiPath(l, "ca.crt"),
		"--service-account-private-key-file=" + pkiPath(l, "accounts.key"),
		"--cluster-signing-cert-file=" + pkiPath(l, "ca.crt"),
		"--cluster-signing-key-file=" + pkiPath(l, "ca.key"),
		"--cert-dir=" + l.Path("cp", "kube-controller-manager"),
		"--flex-volume-plugin-dir=" + l.Path("cp", "volume-plugins"),
	}
}

// schedulerArgs returns the scheduler's command line.
func schedulerArgs(l *state.Lab, bin string) []string {
	config := l.Path("cp", "kube-scheduler.kubeconfig")
	return []string{
		filepath.Join(bin, "kube-scheduler"),
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--leader-elect=false",
		"--cert-dir=" + l.Path("cp", "kube-scheduler"),
	}
}

// kubeletArgs returns the kubelet's command line.
func kubeletArgs(l *state.Lab, node state.Host, bin string) []string {
	var ips []string
	for _, p := range node.Addrs {
		ips = append(ips, p.Addr().String())
	}
	return []string{
		filepath.Join(bin, "kubelet"),
		"--config=" + l.Path(node.Name, "kubelet.yaml"),
		"--kubeconfig=" + l.Path(node.Name, "kubelet.kubeconfig"),
		"--root-dir=" + l.Path(node.Name, "kubelet"),
		"--cert-dir=" + l.Path(node.Name, "kubelet", "pki"),
		"--hostname-override=" + node.Name,
		"--node-ip=" + strings.Join(ips, ","),
	}
}

// proxyArgs returns kube-proxy's command line.
func proxyArgs(l *state.Lab, node state.Host, bin string) []string {
	return []string{filepath.Join(bin, "kube-proxy"), "--config=" + l.Path(node.Name, "kube-proxy.yaml")}
}

// containerdArgs returns containerd's command line.
func containerdArgs(l *state.Lab, node state.Host) []string {
	return []string{"containerd", "--config=" + l.Path(node.Name, "containerd.toml")}
}

// ContainerdSocket returns the address of a node's containerd.
func ContainerdSocket(l *state.Lab, node string) string {
	return l.RunPath(node, "containerd", "containerd.sock")
}

// joined writes prefixes the way Kubernetes' flags take them.
func joined(prefixes []netip.Prefix) string {
	var out []string
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}
