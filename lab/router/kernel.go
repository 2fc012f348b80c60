package router

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// kernelHop is one next hop as `ip -j route` shows it. A next hop of the other
// address family is in Via.
type kernelHop struct {
	Gateway string
	Via     struct{ Host string }
	Dev     string
}

// address returns the next hop, or the link where there is none.
func (h kernelHop) address() string {
	switch {
	case h.Gateway != "":
		return h.Gateway
	case h.Via.Host != "":
		return h.Via.Host
	}
	return h.Dev
}

// parseForwarding reads what `ip -j route` prints: nothing, or a list.
func parseForwarding(out []byte) ([]Forward, error) {
	if len(out) == 0 {
		return nil, nil
	}
	var entries []struct {
		kernelHop
		Dst      string
		NextHops []kernelHop
	}
	if err := json.Unmarshal(out, &entries); err != nil {
		return nil, fmt.Errorf("read the kernel's routes: %w", err)
	}
	var list []Forward
	for _, e := range entries {
		f := Forward{Prefix: whole(e.Dst)}
		for _, hop := range e.NextHops {
			f.NextHops = append(f.NextHops, hop.address())
		}
		if len(e.NextHops) == 0 {
			f.NextHops = []string{e.address()}
		}
		list = append(list, f)
	}
	return list, nil
}

// whole adds the length to the prefix of a single address, which `ip` leaves
// out.
func whole(dst string) string {
	addr, err := netip.ParseAddr(dst)
	if err != nil {
		return dst // a prefix, or the word default
	}
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}
