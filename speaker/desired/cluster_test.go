package desired_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// A cluster is what all speakers see, and what each sees alone.
type cluster struct {
	config   *config.Config
	services []*desired.Service
	nodes    []desired.Node
	alive    map[string]bool
	speakers []string // nodes that run one, those that the API does not know included
	// leaving are speakers that are not alive any more, but not gone yet.
	leaving map[string]bool
	links   map[string][]desired.Link
	claims  *desired.Claims
	// expected is how many speakers there should be, steady whether all that
	// are alive have been so for a while.
	expected int
	steady   bool
}

// input returns the Input of one node's speaker.
func (c cluster) input(node string) desired.Input {
	return desired.Input{
		Node: node, Config: c.config, Services: c.services, Nodes: c.nodes, Alive: c.alive, Links: c.links[node],
		PeerLinks: c.links, Claims: c.claims, Expected: c.expected, Steady: c.steady,
	}
}

// oneLink is what a node has that has no particular links.
func oneLink() []desired.Link { return []desired.Link{{Name: "eth0", Up: true}} }

// mustParse returns the Config of objects that are all accepted.
func mustParse(tb testing.TB, o config.Objects) *config.Config {
	tb.Helper()
	c, verdicts := config.Parse(o)
	for _, v := range verdicts {
		if !v.Accepted && v.Reason != config.Overlap { // a retired pool is a story of its own
			tb.Fatalf("%s %q: %v: %s", v.Kind, v.Name, v.Reason, v.Message)
		}
	}
	return c
}

func newPool(name string, ranges ...string) v1beta1.IPAddressPool {
	return v1beta1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1beta1.IPAddressPoolSpec{Addresses: ranges},
	}
}

func selector(tb testing.TB, s string) v1beta1.LabelSelector {
	tb.Helper()
	sel := v1beta1.LabelSelector{MatchLabels: map[string]string{}}
	for _, pair := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			tb.Fatalf("selector %q: want key=value", s)
		}
		sel.MatchLabels[key] = value
	}
	return sel
}

// A script is a cluster as lines of text, the last for each kind and name:
//
//	pool NAME RANGE...
//	l2 NAME [pools=A,B] [services=SELECTOR]... [nodes=SELECTOR]... [prefer=WEIGHT:SELECTOR]... [interfaces=GLOB,GLOB] [failback]
//	bgp NAME [pools=A,B] [services=SELECTOR]... [nodes=SELECTOR]... [peers=A,B] [length=N] [length6=N] [localpref=N] [med=N] [prepend=N] [communities=A,B]
//	peer NAME ADDRESS|INTERFACE [nodes=SELECTOR]... [vrf=NAME]
//	node NAME [KEY=VALUE]... [unavailable=REASON] [dead] [leaving] [absent] [up=LINK:PREFIX,PREFIX]... [down=LINK]... [nolinks]
//	service KEY ADDRESS,ADDRESS [local] [KEY=VALUE]... [on=NODE,NODE]
//	expect SPEAKERS
//	steady yes
//	gone KIND NAME
//
// A node without links has eth0, up, without a prefix. The node ? in on= is an
// endpoint without a node name; an absent node has a speaker, but is unknown to
// the API. A leaving speaker is not alive, and knows that; a dead one has
// forgotten all when it is back.
type script map[string][]string

// apply reads more lines.
func (s script) apply(tb testing.TB, text string) {
	tb.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case len(words) < 2:
			tb.Fatalf("line %q: want KIND NAME", line)
		case words[0] == "gone":
			delete(s, words[1]+" "+words[2])
		default:
			s[words[0]+" "+words[1]] = words
		}
	}
}

// cluster returns what the script describes.
func (s script) cluster(tb testing.TB) cluster {
	tb.Helper()
	c := cluster{alive: map[string]bool{}, leaving: map[string]bool{}, links: map[string][]desired.Link{}}
	var o config.Objects
	for _, key := range slices.Sorted(maps.Keys(s)) {
		kind, name, args := s[key][0], s[key][1], s[key][2:]
		switch kind {
		case "pool":
			o.Pools = append(o.Pools, newPool(name, args...))
		case "l2":
			o.L2Advertisements = append(o.L2Advertisements, parseL2(tb, name, args))
		case "bgp":
			o.BGPAdvertisements = append(o.BGPAdvertisements, parseBGP(tb, name, args))
		case "peer":
			o.Peers = append(o.Peers, parsePeer(tb, name, args))
		case "node":
			c.addNode(tb, name, args)
		case "service":
			c.services = append(c.services, parseService(tb, name, args))
		case "expect":
			c.expected, _ = strconv.Atoi(name)
		case "steady":
			c.steady = true
		default:
			tb.Fatalf("unknown kind %q", kind)
		}
	}
	c.config = mustParse(tb, o)
	return c
}

func parseL2(tb testing.TB, name string, args []string) v1beta1.L2Advertisement {
	tb.Helper()
	ad := v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "pools":
			ad.Spec.IPAddressPools = strings.Split(value, ",")
		case "services":
			ad.Spec.ServiceSelectors = append(ad.Spec.ServiceSelectors, selector(tb, value))
		case "nodes":
			ad.Spec.NodeSelectors = append(ad.Spec.NodeSelectors, selector(tb, value))
		case "interfaces":
			ad.Spec.Interfaces = strings.Split(value, ",")
		case "failback":
			ad.Spec.Failback = true
		case "prefer":
			weight, sel, _ := strings.Cut(value, ":")
			n, err := strconv.Atoi(weight)
			if err != nil {
				tb.Fatal(err)
			}
			ad.Spec.PreferredNodes = append(ad.Spec.PreferredNodes,
				v1beta1.PreferredNode{Weight: int32(n), Selector: selector(tb, sel)})
		default:
			tb.Fatalf("l2 %s: unknown %q", name, arg)
		}
	}
	return ad
}

func (c *cluster) addNode(tb testing.TB, name string, args []string) {
	tb.Helper()
	n := desired.Node{Name: name, Labels: config.Labels{}}
	links, alive, absent := oneLink(), true, false
	var given []desired.Link
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "dead":
			alive = false
		case "leaving":
			alive, c.leaving[name] = false, true
		case "absent":
			absent = true
		case "nolinks":
			links = nil
		case "unavailable":
			n.Unavailable = parseReason(tb, value)
		case "up", "down":
			given = append(given, parseLink(tb, value, key == "up"))
		default:
			n.Labels[key] = value
		}
	}
	if given != nil {
		links = given
	}
	c.links[name] = links
	c.speakers = append(c.speakers, name)
	if alive {
		c.alive[name] = true
	}
	if !absent {
		c.nodes = append(c.nodes, n)
	}
}

func parseReason(tb testing.TB, word string) desired.Reason {
	tb.Helper()
	for r := desired.Reason(1); r.String() != "unset"; r++ {
		if r.String() == word {
			return r
		}
	}
	tb.Fatalf("unknown reason %q", word)
	return 0
}

func parseLink(tb testing.TB, text string, up bool) desired.Link {
	tb.Helper()
	name, prefixes, _ := strings.Cut(text, ":")
	l := desired.Link{Name: name, Up: up}
	for _, p := range strings.FieldsFunc(prefixes, func(r rune) bool { return r == ',' }) {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			tb.Fatal(err)
		}
		l.Prefixes = append(l.Prefixes, prefix)
	}
	return l
}

func parseService(tb testing.TB, key string, args []string) *desired.Service {
	tb.Helper()
	s := &desired.Service{Key: key, Labels: config.Labels{}, Serving: map[string]bool{}}
	for _, a := range strings.Split(args[0], ",") {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			tb.Fatal(err)
		}
		s.Addresses = append(s.Addresses, addr)
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "local":
			s.Local = true
		case "on":
			for _, node := range strings.Split(value, ",") {
				s.Serving[strings.TrimSuffix(node, "?")] = true
			}
		default:
			s.Labels[name] = value
		}
	}
	return s
}

// render writes a State as golden files have it.
func render(s desired.State) string {
	var b strings.Builder
	for _, a := range s.Layer2 {
		fresh := ""
		if a.Fresh {
			fresh = ", fresh"
		}
		fmt.Fprintf(&b, "  announces %v on %s for %s (%v%s)\n", a.Address,
			strings.Join(a.Interfaces, " "), strings.Join(a.Services, " "), a.Cause, fresh)
	}
	for _, d := range sortedDeclines(s.Declined) {
		holder := ""
		if d.Holder != "" {
			holder = " (" + d.Holder + " is)"
		}
		fmt.Fprintf(&b, "  declines %s %v by %v: %v%s\n", d.Service, d.Address, d.Protocol, d.Reason, holder)
	}
	b.WriteString(renderBGP(s.BGP))
	return cmp.Or(b.String(), "  nothing\n")
}
