package router

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// View is what a router knows of BGP. Lists are empty rather than nil, and in
// the order of addresses.
type View struct {
	Router   string    `json:"router"`
	Kind     string    `json:"kind"`
	Sessions []Session `json:"sessions"`
	Routes   []Route   `json:"routes"`
	// Forwarding is what the router installed in its kernel.
	Forwarding []Forward `json:"forwarding"`
}

// Session is one BGP session.
type Session struct {
	Peer string `json:"peer"`
	ASN  uint32 `json:"asn"`
	// RouterID is the peer's BGP identifier; empty while it is not known.
	RouterID string `json:"routerID,omitempty"`
	// State is a state of RFC 4271 8.2.2: "Established".
	State string `json:"state"`
	// UpSeconds is for how long it is established; 0 when it is not.
	UpSeconds   float64 `json:"upSeconds"`
	HoldSeconds float64 `json:"holdSeconds"`
	// IPv4 and IPv6 are how many prefixes were accepted from the peer.
	IPv4 int `json:"ipv4"`
	IPv6 int `json:"ipv6"`
	// Updates is how many UPDATE messages the peer has sent, end-of-RIB markers
	// included; nil where the router does not count them, as BIRD does not.
	Updates *int `json:"updates,omitempty"`
	// Changes is how often the peer has announced or withdrawn a prefix; nil
	// where the router does not count that, as FRR does not.
	Changes *int `json:"changes,omitempty"`
	// GracefulRestart says that the peer asked for it.
	GracefulRestart bool `json:"gracefulRestart"`
	// BFD is the state of the BFD session with the peer in lower case; empty
	// when there is none.
	BFD string `json:"bfd,omitempty"`
}

// Route is all paths to one prefix.
type Route struct {
	Prefix string `json:"prefix"`
	Paths  []Path `json:"paths"`
}

// Path is one path as one peer announced it.
type Path struct {
	Peer string `json:"peer"`
	// NextHops has more than one entry where IPv6 brings a link-local one too.
	NextHops []string `json:"nextHops"`
	// ASPath is the AS numbers with a space between.
	ASPath           string   `json:"asPath"`
	Origin           string   `json:"origin"`
	MED              *uint32  `json:"med,omitempty"`
	LocalPref        *uint32  `json:"localPref,omitempty"`
	Communities      []string `json:"communities,omitempty"`
	LargeCommunities []string `json:"largeCommunities,omitempty"`
	Best             bool     `json:"best"`
	// Stale says that the peer is gone and its path kept for graceful restart.
	Stale bool `json:"stale,omitempty"`
}

// Forward is one entry of the router's kernel.
type Forward struct {
	Prefix   string   `json:"prefix"`
	NextHops []string `json:"nextHops"`
}

// Show asks the router on h what it knows.
func Show(ctx context.Context, l *state.Lab, h state.Host) (*View, error) {
	ask := map[string]func(context.Context, *state.Lab, state.Host) (*View, error){frr: showFRR, bird: showBIRD}[h.Kind]
	if ask == nil {
		return nil, fmt.Errorf("host %s: not a router", h.Name)
	}
	v, err := ask(ctx, l, h)
	if err != nil {
		return nil, fmt.Errorf("router %s: %w", h.Name, err)
	}
	v.Router, v.Kind = h.Name, h.Kind
	proto := map[string]string{frr: "bgp", bird: "bird"}[h.Kind]
	for _, family := range []string{"-4", "-6"} {
		out, err := host.Output(ctx, l, h.Name, "ip", "-j", family, "route", "show", "proto", proto)
		if err != nil {
			return nil, fmt.Errorf("router %s: %w", h.Name, err)
		}
		f, err := parseForwarding(out)
		if err != nil {
			return nil, fmt.Errorf("router %s: %w", h.Name, err)
		}
		v.Forwarding = append(v.Forwarding, f...)
	}
	v.sort()
	return v, nil
}

// sort puts everything in the order of addresses.
func (v *View) sort() {
	slices.SortFunc(v.Sessions, func(a, b Session) int { return compare(a.Peer, b.Peer) })
	slices.SortFunc(v.Routes, func(a, b Route) int { return compare(a.Prefix, b.Prefix) })
	slices.SortFunc(v.Forwarding, func(a, b Forward) int { return compare(a.Prefix, b.Prefix) })
	for i := range v.Routes {
		slices.SortFunc(v.Routes[i].Paths, func(a, b Path) int { return compare(a.Peer, b.Peer) })
	}
	for i := range v.Forwarding {
		slices.SortFunc(v.Forwarding[i].NextHops, compare)
	}
}

// compare orders addresses and prefixes by their value, and other names after
// them.
func compare(a, b string) int {
	key := func(s string) (bool, netip.Addr) {
		host, _, _ := strings.Cut(s, "/")
		addr, err := netip.ParseAddr(host)
		return err != nil, addr
	}
	aName, aAddr := key(a)
	bName, bAddr := key(b)
	switch {
	case aName && !bName:
		return 1
	case bName && !aName:
		return -1
	}
	return cmp.Or(aAddr.Compare(bAddr), cmp.Compare(a, b))
}

// Text returns v as lines for people.
func (v *View) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %d sessions, %d prefixes\n", v.Router, v.Kind, len(v.Sessions), len(v.Routes))
	for _, s := range v.Sessions {
		fmt.Fprintf(&b, "peer %s AS%d %s", s.Peer, s.ASN, s.State)
		if s.State == established {
			fmt.Fprintf(&b, " for %.0fs, hold %.0fs, %d+%d prefixes", s.UpSeconds, s.HoldSeconds, s.IPv4, s.IPv6)
		}
		if s.BFD != "" {
			fmt.Fprintf(&b, ", bfd %s", s.BFD)
		}
		b.WriteByte('\n')
	}
	for _, r := range v.Routes {
		for _, p := range r.Paths {
			fmt.Fprintf(&b, "%s %s\n", r.Prefix, p.text())
		}
	}
	for _, f := range v.Forwarding {
		fmt.Fprintf(&b, "kernel %s via %s\n", f.Prefix, strings.Join(f.NextHops, ", "))
	}
	return b.String()
}

// established is the state of a session that is up.
const established = "Established"

// text returns p in one line.
func (p Path) text() string {
	out := fmt.Sprintf("via %s from %s, path %s", strings.Join(p.NextHops, " "), p.Peer, p.ASPath)
	if p.MED != nil {
		out += fmt.Sprintf(", med %d", *p.MED)
	}
	if all := slices.Concat(p.Communities, p.LargeCommunities); len(all) > 0 {
		out += ", communities " + strings.Join(all, " ")
	}
	if p.Best {
		out += ", best"
	}
	if p.Stale {
		out += ", stale"
	}
	return out
}
