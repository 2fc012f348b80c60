package assign

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/heraldlb/herald/api/v1beta1"
)

// The spellings of each annotation, Herald's own first. The others are those
// of MetalLB, so that charts written for it need no edit.
var (
	addressesSpellings = []string{
		v1beta1.AnnotationAddresses, "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs",
	}
	poolSpellings = []string{
		v1beta1.AnnotationAddressPool, "metallb.io/address-pool", "metallb.universe.tf/address-pool",
	}
	sharingSpellings = []string{
		v1beta1.AnnotationAllowSharedIP, "metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip",
	}
)

// maxQuoted bounds how much of a user's text is repeated in a message.
const maxQuoted = 100

// An annotation is a value and the spelling of the key that it was found under.
type annotation struct{ key, value string }

// found returns the annotations among spellings that are not blank.
func found(annotations map[string]string, spellings []string) []annotation {
	var out []annotation
	for _, k := range spellings {
		if v := strings.TrimSpace(annotations[k]); v != "" {
			out = append(out, annotation{key: k, value: v})
		}
	}
	return out
}

// agreed returns the value under whichever spellings are used; two that
// disagree are a refusal that names both, beside the value of the first.
func agreed(annotations map[string]string, spellings []string) (string, *refusal) {
	all := found(annotations, spellings)
	if len(all) == 0 {
		return "", nil
	}
	for _, a := range all[1:] {
		if a.value != all[0].value {
			return all[0].value, disagree(all[0], a)
		}
	}
	return all[0].value, nil
}

// disagree refuses two spellings with different values.
func disagree(a, b annotation) *refusal {
	return &refusal{InvalidAnnotation, fmt.Sprintf("annotations %s %s and %s %s disagree: leave one out",
		a.key, quote(a.value), b.key, quote(b.value))}
}

// askedAddresses returns the addresses that the annotations name, sorted, or
// none.
func askedAddresses(annotations map[string]string) ([]netip.Addr, *refusal) {
	all := found(annotations, addressesSpellings)
	var first []netip.Addr
	for i, a := range all {
		addrs, err := parseAddresses(a.value)
		if err != nil {
			return nil, &refusal{InvalidAnnotation, fmt.Sprintf("annotation %s: %v", a.key, err)}
		}
		if i == 0 {
			first = addrs
		} else if !slices.Equal(first, addrs) {
			return nil, disagree(all[0], a)
		}
	}
	return first, nil
}

// parseAddresses reads one address, or one of each family separated by commas,
// and returns them sorted.
func parseAddresses(s string) ([]netip.Addr, error) {
	var out []netip.Addr
	for part := range strings.SplitSeq(s, ",") {
		a, err := parseAddress(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		for _, b := range out {
			if a.Is4() == b.Is4() {
				return nil, fmt.Errorf("%s and %s: want at most one address of each family", b, a)
			}
		}
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out, nil
}

// parseAddress reads an address that a Service could have.
func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, fmt.Errorf("%s: not an IP address", quote(s))
	case a.Is4In6():
		return a, fmt.Errorf("%s: write the IPv4 address as %s", quote(s), a.Unmap())
	case a.Zone() != "":
		return a, fmt.Errorf("%s: an address with a zone cannot be assigned", quote(s))
	}
	return a, nil
}

// quote quotes a user's text, shortened.
func quote(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}
