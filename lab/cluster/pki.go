package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// lifetime is how long a certificate is good: longer than any lab.
const lifetime = 10 * 365 * 24 * time.Hour

// authority signs the certificates of one lab.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// pair is a certificate and its key in PEM.
type pair struct{ cert, key []byte }

// newAuthority makes the certificate authority of the lab called name.
func newAuthority(name string) (*authority, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := template(pkix.Name{CommonName: "lab " + name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := encodeKey(key)
	return &authority{cert: cert, key: key, pem: encode("CERTIFICATE", der)}, keyPEM, err
}

// loadAuthority reads what writePKI left.
func loadAuthority(l *state.Lab) (*authority, error) {
	certPEM, err := os.ReadFile(pkiPath(l, "ca.crt"))
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(pkiPath(l, "ca.key"))
	if err != nil {
		return nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("certificate authority of lab %q: not PEM", l.Name)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate authority of lab %q: %w", l.Name, err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key of the certificate authority of lab %q: %w", l.Name, err)
	}
	return &authority{cert: cert, key: key, pem: certPEM}, nil
}

// client makes a certificate by which a user of those groups is known.
func (a *authority) client(user string, groups ...string) (pair, error) {
	t := template(pkix.Name{CommonName: user, Organization: groups})
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(t)
}

// server makes a certificate for a server with those names and addresses.
func (a *authority) server(name string, dns []string, ips []net.IP) (pair, error) {
	t := template(pkix.Name{CommonName: name})
	t.DNSNames, t.IPAddresses = dns, ips
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return a.sign(t)
}

func (a *authority) sign(t *x509.Certificate) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign certificate of %s: %w", t.Subject, err)
	}
	keyPEM, err := encodeKey(key)
	return pair{cert: encode("CERTIFICATE", der), key: keyPEM}, err
}

// template is what all certificates have in common.
func template(subject pkix.Name) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic("cluster: no randomness: " + err.Error())
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}

// pkiPath returns where a certificate or key of the control plane is.
func pkiPath(l *state.Lab, name string) string { return l.Path("cp", "pki", name) }

// writePKI makes the authority and everything that the control plane needs
// from it, and the kubeconfigs of its programs and of the administrator.
func writePKI(l *state.Lab) error {
	if err := os.MkdirAll(l.Path("cp", "pki"), 0o700); err != nil {
		return err
	}
	ca, caKey, err := newAuthority(l.Name)
	if err != nil {
		return err
	}
	api, err1 := ca.server("kube-apiserver", apiNames, apiAddresses(l))
	toKubelets, err2 := ca.client("kube-apiserver-kubelet-client", "system:masters")
	accounts, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	accountsPEM, err := encodeKey(accounts)
	if err != nil {
		return err
	}
	accountsPub, err := x509.MarshalPKIXPublicKey(accounts.Public())
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"ca.crt": ca.pem, "ca.key": caKey,
		"apiserver.crt": api.cert, "apiserver.key": api.key,
		"kubelet-client.crt": toKubelets.cert, "kubelet-client.key": toKubelets.key,
		"accounts.key": accountsPEM, "accounts.pub": encode("PUBLIC KEY", accountsPub),
	}
	for name, data := range files {
		if err := os.WriteFile(pkiPath(l, name), data, 0o600); err != nil {
			return err
		}
	}
	return writeControlPlaneKubeconfigs(l, ca)
}

// apiNames are the DNS names that the API server is known by.
var apiNames = []string{
	"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
}

// apiAddresses are the addresses that the API server is reached at.
func apiAddresses(l *state.Lab) []net.IP {
	_, mgmt := l.Management()
	out := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, mgmt.Addr().AsSlice()}
	for _, a := range l.APIServices() {
		out = append(out, a.AsSlice())
	}
	for _, h := range l.ByRole(state.ControlPlane) {
		for _, p := range h.Addrs {
			out = append(out, p.Addr().AsSlice())
		}
	}
	return out
}

// writeFile makes the directory of path and writes it.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
