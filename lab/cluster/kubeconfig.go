package cluster

import (
	"encoding/json"
	"net"
	"net/netip"
	"strconv"

	"github.com/heraldlb/herald/lab/state"
)

// apiPort is the API server's port.
const apiPort = 6443

// apiURL returns the URL of the API server at addr.
func apiURL(addr netip.Addr) string {
	return "https://" + net.JoinHostPort(addr.String(), strconv.Itoa(apiPort))
}

// nodeURL returns the URL of the API server as nodes reach it.
func nodeURL(l *state.Lab) string { return apiURL(l.ByRole(state.ControlPlane)[0].Addr()) }

// machineURL returns the URL of the API server as this machine reaches it.
func machineURL(l *state.Lab) string {
	_, mgmt := l.Management()
	return apiURL(mgmt.Addr())
}

// kubeconfig returns a kubeconfig, in JSON, which is YAML too.
func kubeconfig(name, url string, ca []byte, user pair) []byte {
	type object = map[string]any
	data, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []object{{"name": name, "cluster": object{"server": url, "certificate-authority-data": ca}}},
		"users":    []object{{"name": name, "user": object{"client-certificate-data": user.cert, "client-key-data": user.key}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": name}}},
	}, "", "  ")
	if err != nil {
		panic("cluster: marshal kubeconfig: " + err.Error())
	}
	return append(data, '\n')
}

// writeControlPlaneKubeconfigs writes those of the administrator, who sits on
// this machine, and of the programs on the host cp.
func writeControlPlaneKubeconfigs(l *state.Lab, ca *authority) error {
	local := apiURL(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	for _, c := range []struct {
		path, url, user string
		groups          []string
	}{
		{path: l.Kubeconfig(), url: machineURL(l), user: "admin", groups: []string{"system:masters"}},
		{path: l.Path("cp", "kube-controller-manager.kubeconfig"), url: local, user: "system:kube-controller-manager"},
		{path: l.Path("cp", "kube-scheduler.kubeconfig"), url: local, user: "system:kube-scheduler"},
	} {
		if err := writeKubeconfig(l, ca, c.path, c.url, c.user, c.groups...); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfig makes a certificate for user and writes its kubeconfig.
func writeKubeconfig(l *state.Lab, ca *authority, path, url, user string, groups ...string) error {
	p, err := ca.client(user, groups...)
	if err != nil {
		return err
	}
	return writeFile(path, kubeconfig("lab-"+l.Name, url, ca.pem, p))
}
