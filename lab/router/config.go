package router

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"text/template"

	"github.com/heraldlb/herald/lab/state"
)

// The kinds of routers.
const (
	frr  = "frr"
	bird = "bird"
)

// DefaultASN is the routers' own AS number.
const DefaultASN = 64513

//go:embed frr.conf.tmpl
var frrTemplate string

//go:embed bird.conf.tmpl
var birdTemplate string

// Options changes what a router does.
type Options struct {
	// ASN is the router's own AS number; zero means DefaultASN.
	ASN uint32
	// PeerASN is the only AS number that peers may have; zero means any other
	// than the router's own.
	PeerASN uint32
	// Config is the path of a template to use instead of the built-in one;
	// empty means the built-in one. Its fields are those of Values.
	Config string
}

// Values is what a configuration template can use.
type Values struct {
	// Name is the name of the router's host.
	Name         string
	ASN, PeerASN uint32
	// RouterID is the router's first address, or one made of it where that is
	// no IPv4 address.
	RouterID netip.Addr
	// Addrs are the router's own addresses, Segment the prefixes of the segment
	// that its peers are on; IPv4 first.
	Addrs   []netip.Addr
	Segment []netip.Prefix
}

// newValues returns the values for the templates of h in the lab l.
func newValues(l *state.Lab, h state.Host, o Options) Values {
	v := Values{Name: h.Name, ASN: o.ASN, PeerASN: o.PeerASN, RouterID: routerID(h.Addr()), Segment: l.Segment()}
	if v.ASN == 0 {
		v.ASN = DefaultASN
	}
	for _, p := range h.Addrs {
		v.Addrs = append(v.Addrs, p.Addr())
	}
	return v
}

// routerID returns a for IPv4 and else 10 and the last three bytes of a.
func routerID(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte{10, b[13], b[14], b[15]})
}

// Render returns the configuration of a router of a kind. The template is
// override's file, or the built-in one when that is empty.
func Render(kind, override string, v Values) ([]byte, error) {
	text := map[string]string{frr: frrTemplate, bird: birdTemplate}[kind]
	if override != "" {
		data, err := os.ReadFile(override)
		if err != nil {
			return nil, fmt.Errorf("configuration of router %s: %w", v.Name, err)
		}
		text = string(data)
	}
	t, err := template.New(kind).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("configuration of router %s: %w", v.Name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("configuration of router %s: %w", v.Name, err)
	}
	return b.Bytes(), nil
}
