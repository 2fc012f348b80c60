package desired_test

import (
	"fmt"
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

func number(tb testing.TB, text string) int64 {
	tb.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func parseBGP(tb testing.TB, name string, args []string) v1beta1.BGPAdvertisement {
	tb.Helper()
	ad := v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "pools":
			ad.Spec.IPAddressPools = strings.Split(value, ",")
		case "services":
			ad.Spec.ServiceSelectors = append(ad.Spec.ServiceSelectors, selector(tb, value))
		case "nodes":
			ad.Spec.NodeSelectors = append(ad.Spec.NodeSelectors, selector(tb, value))
		case "peers":
			ad.Spec.Peers = strings.Split(value, ",")
		case "length":
			ad.Spec.AggregationLength = int32(number(tb, value))
		case "length6":
			ad.Spec.AggregationLengthV6 = int32(number(tb, value))
		case "localpref":
			ad.Spec.LocalPref = new(number(tb, value))
		case "med":
			ad.Spec.MED = new(number(tb, value))
		case "prepend":
			ad.Spec.ASPathPrepend = int32(number(tb, value))
		case "communities":
			ad.Spec.Communities = strings.Split(value, ",")
		default:
			tb.Fatalf("bgp %s: unknown %q", name, arg)
		}
	}
	return ad
}

func parsePeer(tb testing.TB, name string, args []string) v1beta1.BGPPeer {
	tb.Helper()
	p := v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513}}
	if _, err := netip.ParseAddr(args[0]); err == nil {
		p.Spec.PeerAddress = args[0]
	} else {
		p.Spec.Interface = args[0]
	}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "nodes":
			p.Spec.NodeSelectors = append(p.Spec.NodeSelectors, selector(tb, value))
		case "vrf":
			p.Spec.VRF = value
		default:
			tb.Fatalf("peer %s: unknown %q", name, arg)
		}
	}
	return p
}

// routers adds random peers and BGPAdvertisements to objects.
func (w world) routers(o *config.Objects) {
	for i := range w.IntN(5) {
		p := parsePeer(w.t, fmt.Sprintf("r%d", i), []string{w.pick("10.9.0.1", "10.9.0.2", "eth0")})
		p.Spec.NodeSelectors = []v1beta1.LabelSelector{selector(w.t, []string{"zone=a", "zone=b", "disk=x", "disk=y", "zone=a,disk=x"}[i])}
		if w.IntN(3) == 0 { // a router of its own, for all nodes
			p.Spec.PeerAddress, p.Spec.Interface, p.Spec.NodeSelectors = fmt.Sprintf("10.9.1.%d", i), "", nil
		}
		o.Peers = append(o.Peers, p)
	}
	for i := range w.IntN(5) {
		ad := v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bgp%d", i)}}
		if w.IntN(3) != 0 {
			ad.Spec.IPAddressPools = []string{w.pick("p0", "p1"), w.pick("p0", "p1", "p2")}
		}
		ad.Spec.ServiceSelectors = w.some(1, "app=web", "app=db", "app=web,tier=front")
		ad.Spec.NodeSelectors = w.some(2, "zone=a", "zone=b", "disk=x", "zone=a,disk=y")
		if len(o.Peers) > 0 && w.IntN(2) == 0 {
			ad.Spec.Peers = []string{o.Peers[w.IntN(len(o.Peers))].Name, o.Peers[w.IntN(len(o.Peers))].Name}
		}
		if w.IntN(2) == 0 {
			ad.Spec.AggregationLength, ad.Spec.AggregationLengthV6 = 29+w.Int32N(4), 125+w.Int32N(4)
		}
		if w.IntN(3) == 0 {
			ad.Spec.MED = new(w.Int64N(2))
		}
		o.BGPAdvertisements = append(o.BGPAdvertisements, ad)
	}
}

// routed reports whether a Service is among those of a route for an address, and
// whether it is for that address alone.
func routed(b desired.BGP, service string, addr netip.Addr) (is, alone bool) {
	for _, r := range b.Routes {
		if r.Prefix.Contains(addr) && slices.Contains(r.Services, service) {
			is, alone = true, alone || r.Prefix.IsSingleIP()
		}
	}
	return is, alone
}

// renderBGP writes what is said to routers as golden files have it.
func renderBGP(s desired.BGP) string {
	var b strings.Builder
	for _, p := range s.Sessions {
		fmt.Fprintf(&b, "  session %s\n", p.Name)
	}
	for _, r := range s.Routes {
		fmt.Fprintf(&b, "  routes %v to %s for %s (%s%s)\n", r.Prefix, strings.Join(r.Peers, " "),
			strings.Join(r.Services, " "), strings.Join(r.Advertisements, " "), renderAttributes(r.Attributes))
	}
	for _, r := range s.Refused {
		fmt.Fprintf(&b, "  refuses %s of %v to %s: %s is in force\n", r.Advertisement, r.Prefix, r.Peer, r.InForce)
	}
	return b.String()
}

func renderAttributes(a desired.Attributes) string {
	var b strings.Builder
	if a.LocalPref != nil {
		fmt.Fprintf(&b, ", localpref %d", *a.LocalPref)
	}
	if a.MED != nil {
		fmt.Fprintf(&b, ", med %d", *a.MED)
	}
	if a.ASNPrepend != 0 {
		fmt.Fprintf(&b, ", prepend %d", a.ASNPrepend)
	}
	for _, c := range a.Communities {
		fmt.Fprintf(&b, ", community %v", c)
	}
	return b.String()
}
