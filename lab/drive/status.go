package drive

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// A Status is what of `lab status` callers need.
type Status struct {
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"auditLog"`
	// Segment are the prefixes that all hosts are on, IPv4 first, and Second
	// those of the second network, if there is one. Their addresses from .100
	// or ::100 up are free for pools.
	Segment []netip.Prefix `json:"segment"`
	Second  []netip.Prefix `json:"second"`
	Hosts   []Host         `json:"hosts"`
}

// A Host is a host of the lab.
type Host struct {
	Name   string         `json:"name"`
	Role   string         `json:"role"`
	Addrs  []netip.Prefix `json:"addrs"`
	Second []netip.Prefix `json:"second"`
	// Console is the socket of a router's own command line.
	Console   string    `json:"console"`
	Processes []Process `json:"processes"`
}

// A Process is a daemon of a host.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Status asks the lab what it is.
func (l *Lab) Status(ctx context.Context) (*Status, error) {
	out, err := l.Output(ctx, "status", "--json")
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(out, &s); err != nil {
		return nil, fmt.Errorf("lab status: %w", err)
	}
	return &s, nil
}

// Nodes returns the names of the nodes.
func (s *Status) Nodes() []string {
	var out []string
	for _, h := range s.Hosts {
		if h.Role == "node" {
			out = append(out, h.Name)
		}
	}
	return out
}

// Processes returns the process ids of all daemons, by the names of their
// programs.
func (s *Status) Processes() map[string][]int {
	out := map[string][]int{}
	for _, h := range s.Hosts {
		for _, p := range h.Processes {
			out[p.Name] = append(out[p.Name], p.PID)
		}
	}
	return out
}

// Names returns the host of each address, that of the second network included.
func (s *Status) Names() map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, h := range s.Hosts {
		for _, p := range slices.Concat(h.Addrs, h.Second) {
			out[p.Addr()] = h.Name
		}
	}
	return out
}

// At returns the n-th address of a prefix. Of IPv6 n is read as hexadecimal
// digits, as the lab numbers its hosts, so that both families look alike.
func At(p netip.Prefix, n int) netip.Addr {
	if p.Addr().Is4() {
		a := p.Masked().Addr().As4()
		binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+uint32(n))
		return netip.AddrFrom4(a)
	}
	a := p.Masked().Addr().As16()
	for i := 15; i > 7 && n > 0; i-- {
		a[i] += byte(n%10 + n/10%10<<4)
		n /= 100
	}
	return netip.AddrFrom16(a)
}
