package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A service says what the tests want of a Service of type LoadBalancer.
type service struct {
	name string
	// on is the node whose echo pod is behind it; empty means all pods.
	on    string
	local bool
	// dual asks for both families; else family is the one that is asked for,
	// "IPv4" or "IPv6", empty for the cluster's first.
	dual        bool
	family      string
	labels      map[string]string
	annotations map[string]string
	namespace   string
}

// manifest returns the Service as YAML.
func (s service) manifest() string {
	selector := "app: echo"
	if s.on != "" {
		selector += ", node: " + s.on
	}
	policy := "Cluster"
	if s.local {
		policy = "Local"
	}
	families := "SingleStack"
	if s.dual {
		families = "RequireDualStack"
	}
	if s.family != "" {
		families += "\n  ipFamilies: [" + s.family + "]"
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %q, namespace: %q, labels: {%s}, annotations: {%s}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: %s
  ipFamilyPolicy: %s
  selector: {%s}
  ports: [{port: 80, targetPort: 8080}]
`, s.name, s.space(), flow(s.labels), flow(s.annotations), policy, families, selector)
}

// space returns the namespace of s.
func (s service) space() string {
	if s.namespace == "" {
		return "default"
	}
	return s.namespace
}

// flow writes a map as the inside of a YAML flow mapping.
func flow(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%q: %q", k, m[k]))
	}
	return strings.Join(parts, ", ")
}

// serve applies s and waits until it has its address, of one family.
func (c *cluster) serve(t *testing.T, s service) netip.Addr {
	t.Helper()
	c.apply(t, s.manifest())
	return c.address(t, s)
}

// serveAll applies s and waits until it has an address of each family of the
// lab, IPv4 first.
func (c *cluster) serveAll(t *testing.T, s service) []netip.Addr {
	t.Helper()
	s.dual = len(c.segments) > 1
	c.apply(t, s.manifest())
	return c.addresses(t, s)
}

// address waits until s, which wants one family, has an address.
func (c *cluster) address(t *testing.T, s service) netip.Addr {
	t.Helper()
	return c.addresses(t, s)[0]
}

// addresses waits until s has an address of each family that it wants.
func (c *cluster) addresses(t *testing.T, s service) []netip.Addr {
	t.Helper()
	want := 1
	if s.dual {
		want = 2
	}
	var got []netip.Addr
	eventually(t, patience, "addresses of "+s.name, func(ctx context.Context) (err error) {
		if got, err = c.ingress(ctx, s); err == nil && len(got) != want {
			err = errNot(got, fmt.Sprint(want, " addresses"))
		}
		return err
	})
	return got
}

// ingress returns the addresses in the status of s.
func (c *cluster) ingress(ctx context.Context, s service) ([]netip.Addr, error) {
	svc, err := c.kube.CoreV1().Services(s.space()).Get(ctx, s.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, in := range svc.Status.LoadBalancer.Ingress {
		a, err := netip.ParseAddr(in.IP)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare) // IPv4 first
	return out, nil
}
