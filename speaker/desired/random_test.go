package desired_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random clusters; 0 picks one")

// newRandom returns a source whose seed is printed when the test fails.
func newRandom(t *testing.T) *rand.Rand {
	seed := *seedFlag
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A world makes random clusters.
type world struct {
	*rand.Rand
	t *testing.T
	// alike is true when all nodes can use all links, so that all see the same.
	alike bool
}

func (w world) cluster() cluster {
	c := cluster{alive: map[string]bool{}, links: map[string][]desired.Link{}, config: w.config(0)}
	for i := range w.IntN(7) {
		c.speakers = append(c.speakers, fmt.Sprintf("n%d", i))
		w.setNode(&c, i)
	}
	for i := range w.IntN(12) {
		c.services = append(c.services, w.service(fmt.Sprintf("ns/s%d", i)))
	}
	return c
}

// setNode gives the node of this number new properties. Parts of a cluster
// that an Input may hold are replaced, not written.
func (w world) setNode(c *cluster, i int) {
	name := fmt.Sprintf("n%d", i)
	n := desired.Node{Name: name, Labels: config.Labels{"zone": w.pick("a", "b"), "disk": w.pick("x", "y")}}
	if w.IntN(8) == 0 {
		n.Unavailable = desired.NodeExcluded
	}
	c.nodes = slices.DeleteFunc(slices.Clone(c.nodes), func(o desired.Node) bool { return o.Name == name })
	if w.IntN(12) != 0 {
		c.nodes = append(c.nodes, n)
	}
	c.alive = maps.Clone(c.alive)
	c.alive[name] = w.IntN(6) != 0
	c.links[name] = w.linkSet()
}

func (w world) linkSet() []desired.Link {
	if w.alike {
		return oneLink()
	}
	var links []desired.Link
	for _, name := range []string{"eth0", "eth1", "bond0", "dummy0"} {
		l := desired.Link{Name: name, Up: w.IntN(3) != 0}
		for _, p := range []string{"10.0.0.9/24", "10.0.0.1/32", "10.1.0.9/16", "fd00::9/64"} {
			if w.IntN(4) == 0 {
				l.Prefixes = append(l.Prefixes, netip.MustParsePrefix(p))
			}
		}
		if w.IntN(3) != 0 {
			links = append(links, l)
		}
	}
	w.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
	return links
}

func (w world) pick(of ...string) string { return of[w.IntN(len(of))] }

// some returns up to n selectors that matter.
func (w world) some(n int, of ...string) (out []v1beta1.LabelSelector) {
	for range w.IntN(n + 1) {
		out = append(out, selector(w.t, w.pick(of...)))
	}
	return out
}

// config returns a Config in which one of so many advertisements asks for
// failback, none for zero.
func (w world) config(failback int) *config.Config {
	o := config.Objects{Pools: []v1beta1.IPAddressPool{
		newPool("p0", "10.0.0.0/29"), newPool("p1", "10.1.0.0/29", "fd00::/125"), newPool("p2", "10.2.0.0/29"),
	}}
	for i := range w.IntN(5) {
		ad := v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("ad%d", i)}}
		ad.Spec.IPAddressPools = []string{w.pick("p0", "p1"), w.pick("p0", "p1")}
		ad.Spec.ServiceSelectors = w.some(1, "app=web", "app=db", "app=web,tier=front")
		ad.Spec.NodeSelectors = w.some(2, "zone=a", "zone=b", "disk=x", "zone=a,disk=y")
		for range w.IntN(3) {
			ad.Spec.PreferredNodes = append(ad.Spec.PreferredNodes, v1beta1.PreferredNode{
				Weight: 1 + w.Int32N(3), Selector: selector(w.t, w.pick("zone=a", "disk=x", "disk=y")),
			})
		}
		if !w.alike && w.IntN(2) == 0 {
			ad.Spec.Interfaces = []string{w.pick("eth*", "eth1", "bond?", "[a-d]*")}
		}
		ad.Spec.Failback = failback > 0 && w.IntN(failback) == 0
		o.L2Advertisements = append(o.L2Advertisements, ad)
	}
	w.routers(&o)
	return mustParse(w.t, o)
}

func (w world) service(key string) *desired.Service {
	s := &desired.Service{
		Key: key, Local: w.IntN(3) == 0, Serving: map[string]bool{},
		Labels: config.Labels{"app": w.pick("web", "db"), "tier": w.pick("front", "back")},
	}
	for range 1 + w.IntN(3) {
		addr := fmt.Sprintf(w.pick("10.0.0.%d", "10.0.0.%d", "10.1.0.%d", "fd00::%d", "10.2.0.%d", "10.9.0.%d"), w.IntN(4))
		s.Addresses = append(s.Addresses, netip.MustParseAddr(addr))
	}
	for range w.IntN(5) {
		s.Serving[w.pick("n0", "n1", "n2", "n3", "n4", "n5", "gone", "")] = w.IntN(6) != 0
	}
	return s
}

// change makes a random change to a cluster, as a watch would see it.
func (w world) change(c *cluster) {
	switch at := w.IntN(max(1, len(c.services))); w.IntN(16) {
	case 14:
		c.expected = w.IntN(8)
	case 15:
		c.steady = !c.steady
	case 0:
		c.config = w.config(4)
	case 1:
		w.setNode(c, w.IntN(6))
	case 2:
		w.Shuffle(len(c.services), func(i, j int) { c.services[i], c.services[j] = c.services[j], c.services[i] })
	case 3:
		w.Shuffle(len(c.nodes), func(i, j int) { c.nodes[i], c.nodes[j] = c.nodes[j], c.nodes[i] })
	case 4, 5:
		if len(c.services) > 0 {
			c.services = slices.Delete(c.services, at, at+1)
		}
	case 6, 7:
		key := fmt.Sprintf("ns/s%d", w.IntN(14))
		if !slices.ContainsFunc(c.services, func(s *desired.Service) bool { return s.Key == key }) {
			c.services = slices.Insert(c.services, at*len(c.services)/max(1, len(c.services)), w.service(key))
		}
	case 8:
	case 9, 10:
		w.changeOne(c, fmt.Sprintf("n%d", w.IntN(6)))
	default:
		if len(c.services) > 0 {
			c.services[at] = w.service(c.services[at].Key)
		}
	}
}

// changeOne changes a single fact about a node.
func (w world) changeOne(c *cluster, name string) {
	at := slices.IndexFunc(c.nodes, func(n desired.Node) bool { return n.Name == name })
	c.nodes, c.links[name] = slices.Clone(c.nodes), slices.Clone(c.links[name])
	switch kind := w.IntN(5); {
	case kind == 0 && at >= 0:
		c.nodes[at].Labels = config.Labels{"zone": w.pick("a", "b"), "disk": c.nodes[at].Labels["disk"]}
	case kind == 1 && at >= 0:
		c.nodes[at].Unavailable = desired.NodeExcluded - c.nodes[at].Unavailable
	case kind == 2 && len(c.links[name]) > 0:
		link := &c.links[name][w.IntN(len(c.links[name]))]
		link.Up = !link.Up
	case kind == 3 && len(c.links[name]) > 0:
		c.links[name][w.IntN(len(c.links[name]))].Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.8/28")}
	default:
		c.alive = maps.Clone(c.alive)
		c.alive[name] = !c.alive[name]
	}
}

// clone returns a cluster whose slices are its own, so that an Input made of
// it stays as it is.
func (c cluster) clone() cluster {
	c.services = slices.Clone(c.services)
	c.nodes = slices.Clone(c.nodes)
	c.alive = maps.Clone(c.alive)
	c.links = maps.Clone(c.links)
	return c
}

// describe tells about a cluster in a failure.
func (c cluster) describe() string {
	var b strings.Builder
	for _, ad := range c.config.L2Advertisements {
		fmt.Fprintf(&b, "l2 %+v\n", ad)
	}
	for _, ad := range c.config.BGPAdvertisements {
		fmt.Fprintf(&b, "bgp %+v\n", ad)
	}
	for i := range c.config.Peers {
		fmt.Fprintf(&b, "peer %+v\n", c.config.Peers[i])
	}
	for _, n := range c.nodes {
		fmt.Fprintf(&b, "node %+v\n", n)
	}
	fmt.Fprintf(&b, "alive %v expected %d steady %v\nlinks %+v\n", c.alive, c.expected, c.steady, c.links)
	for claim := range c.claims.All() {
		fmt.Fprintf(&b, "claim %+v\n", claim)
	}
	for _, s := range c.services {
		fmt.Fprintf(&b, "service %+v\n", *s)
	}
	return b.String()
}
