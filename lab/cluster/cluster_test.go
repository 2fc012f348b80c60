package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/state"
)

// newLab makes a lab of one node in a directory of its own; nothing runs.
func newLab(t *testing.T, f state.Family, p state.ProxyMode) *state.Lab {
	t.Helper()
	dir := t.TempDir()
	s, err := state.Root{Var: dir + "/var", Run: dir + "/run"}.Open(t.Context(), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Create(t.Context(), state.Options{Nodes: 1, Family: f, Proxy: p, ProxyMinSync: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	return s.Lab()
}

// What the families of a lab change in command lines and configurations.
func TestFamilies(t *testing.T) {
	tests := []struct {
		family state.Family
		want   []string
	}{{
		family: state.IPv4,
		want: []string{
			"--bind-address=0.0.0.0", "--advertise-address=172.30.1.10", "--service-cluster-ip-range=10.96.0.0/16",
			"--node-ip=172.30.1.11", "server https://172.30.1.10:6443", "clusterCIDR 10.244.0.0/16", "clusterDNS 10.96.0.10",
			"subnets 10.244.1.0/24", "routes 0.0.0.0/0", "podCIDRs 10.244.1.0/24",
		},
	}, {
		family: state.IPv6,
		want: []string{
			"--bind-address=::", "--advertise-address=fd30:1::10", "--service-cluster-ip-range=fd00:10:96::/112",
			"--node-ip=fd30:1::11", "server https://[fd30:1::10]:6443", "clusterCIDR fd00:10:244::/48", "clusterDNS fd00:10:96::a",
			"subnets fd00:10:244:1::/64", "routes ::/0", "podCIDRs fd00:10:244:1::/64",
		},
	}, {
		family: state.Dual,
		want: []string{
			"--bind-address=::", "--advertise-address=172.30.1.10", "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
			"--node-ip=172.30.1.11,fd30:1::11", "server https://172.30.1.10:6443", "clusterCIDR 10.244.0.0/16,fd00:10:244::/48",
			"clusterDNS 10.96.0.10,fd00:10:96::a", "subnets 10.244.1.0/24,fd00:10:244:1::/64", "routes 0.0.0.0/0,::/0",
			"podCIDRs 10.244.1.0/24,fd00:10:244:1::/64",
		},
	}}
	for _, tt := range tests {
		t.Run(tt.family.String(), func(t *testing.T) {
			if diff := cmp.Diff(tt.want, familyFacts(t, newLab(t, tt.family, state.NFTables))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// familyFacts collects everything that depends on the family of l.
func familyFacts(t *testing.T, l *state.Lab) []string {
	t.Helper()
	node := l.ByRole(state.Node)[0]
	var out []string
	for _, arg := range slices.Concat(apiServerArgs(l, ""), kubeletArgs(l, node, "")) {
		name, _, _ := strings.Cut(arg, "=")
		if slices.Contains([]string{"--bind-address", "--advertise-address", "--service-cluster-ip-range", "--node-ip"}, name) {
			out = append(out, arg)
		}
	}
	var proxy struct{ ClusterCIDR string }
	var kubelet struct{ ClusterDNS []string }
	var cni struct {
		Plugins []struct {
			IPAM struct {
				Ranges [][]struct{ Subnet string }
				Routes []struct{ Dst string }
			}
		}
	}
	var object struct{ Spec struct{ PodCIDRs []string } }
	read(t, proxyConfig(l, node), &proxy)
	read(t, kubeletConfig(l, node), &kubelet)
	read(t, cniConfig(l, node), &cni)
	read(t, marshal(nodeObject(node)), &object)
	var subnets, routes []string
	for _, r := range cni.Plugins[0].IPAM.Ranges {
		subnets = append(subnets, r[0].Subnet)
	}
	for _, r := range cni.Plugins[0].IPAM.Routes {
		routes = append(routes, r.Dst)
	}
	return append(out, "server "+nodeURL(l), "clusterCIDR "+proxy.ClusterCIDR, "clusterDNS "+strings.Join(kubelet.ClusterDNS, ","),
		"subnets "+strings.Join(subnets, ","), "routes "+strings.Join(routes, ","), "podCIDRs "+strings.Join(object.Spec.PodCIDRs, ","))
}

func read(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

func TestProxyConfig(t *testing.T) {
	for _, mode := range []state.ProxyMode{state.NFTables, state.IPTables} {
		l := newLab(t, state.IPv4, mode)
		type settings struct{ MinSyncPeriod string }
		var got struct {
			Mode               string
			NFTables, IPTables settings
			HostnameOverride   string
		}
		read(t, proxyConfig(l, l.ByRole(state.Node)[0]), &got)
		want := got
		want.Mode, want.HostnameOverride = string(mode), "node1"
		want.NFTables, want.IPTables = settings{"10ms"}, settings{"10ms"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
	}
}

// The API server's certificate is good for every address it is reached at, and
// a node's certificate says which node it is.
func TestPKI(t *testing.T) {
	l := newLab(t, state.Dual, state.NFTables)
	if err := writePKI(l); err != nil {
		t.Fatal(err)
	}
	ca, err := loadAuthority(l)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	server := certificate(t, pkiPath(l, "apiserver.crt"), pkiPath(l, "apiserver.key"))
	for _, name := range []string{
		"127.0.0.1", "172.30.1.10", "fd30:1::10", "100.64.1.2", "10.96.0.1", "fd00:10:96::1", "kubernetes.default.svc",
	} {
		if _, err := server.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("API server's certificate for %s: %v", name, err)
		}
	}
	p, err := ca.client("system:node:node1", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || pair.Leaf.Subject.CommonName != "system:node:node1" || !slices.Equal(pair.Leaf.Subject.Organization, []string{"system:nodes"}) {
		t.Errorf("node's certificate: %v, %v", pair.Leaf.Subject, err)
	}
	if _, err := NewAPI(l); err != nil {
		t.Errorf("administrator's kubeconfig: %v", err)
	}
}

func certificate(t *testing.T, cert, key string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// Containers are found by the name that their pod gives them, sandboxes and
// tasks that just went are not.
func TestContainers(t *testing.T) {
	l := newLab(t, state.IPv4, state.NFTables)
	dir := l.RunPath("node1", "containerd", "io.containerd.runtime.v2.task", "k8s.io")
	task := func(id, config, pid string) {
		for name, text := range map[string]string{"config.json": config, "init.pid": pid} {
			if text == "" {
				continue
			}
			if err := writeFile(filepath.Join(dir, id, name), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	named := func(name string) string { return `{"annotations":{"io.kubernetes.cri.container-name":"` + name + `"}}` }
	task("a", named("speaker"), "30")
	task("b", named("speaker"), "20")
	task("c", named("echo"), "10")
	task("d", `{"annotations":{"io.kubernetes.cri.container-type":"sandbox"}}`, "11")
	task("e", named("speaker"), "")
	got, err := Containers(l, "node1", "speaker")
	if diff := cmp.Diff([]int{20, 30}, got); diff != "" || err != nil {
		t.Errorf("(-want +got), %v:\n%s", err, diff)
	}
	_, err = Containers(l, "node1", "other")
	if err == nil || !strings.Contains(err.Error(), "containers: [echo speaker]") {
		t.Errorf("got %v, want an error that lists containers", err)
	}
}

func TestLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for text, want := range map[string]string{"": "", "one": "one", "one\ntwo\n": "two", "one\n\n": "one"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := lastLine(path); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
