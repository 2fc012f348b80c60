package config

import (
	"fmt"
	"slices"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/iprange"
)

// references are what objects may name: those accepted, and those that exist.
type references struct {
	config       *Config         // its pools and peers are complete
	pools, peers map[string]bool // every object given, accepted or not
	aliases      map[string]alias
	// declared are the addresses of each accepted pool before exclusions.
	declared map[string][]iprange.Range
}

// missing says why a name does not refer to anything.
func missing(kind, name string, given map[string]bool) string {
	if given[name] {
		return fmt.Sprintf("%s %q is not accepted", kind, shorten(name))
	}
	return fmt.Sprintf("no such %s", kind)
}

// allPools reports whether names and selectors of pools stand for all of them.
func allPools(listed []string, choice []v1beta1.LabelSelector) bool {
	return len(listed) == 0 && len(choice) == 0
}

// poolsOf resolves names and selectors of pools; neither is all pools. Names
// without an accepted pool are noted, and reject the object when nothing is
// left, not even a retired pool.
func (f *findings) poolsOf(listed []string, choice []v1beta1.LabelSelector, known references) []string {
	const field = "spec.ipAddressPools"
	selectors := f.selectors("spec.ipAddressPoolSelectors", choice)
	all := allPools(listed, choice)
	var pools []string
	for _, p := range slices.Concat(known.config.Pools, known.config.Retired) {
		named := slices.Contains(listed, p.Name)
		if all || named || (len(selectors) > 0 && matchesAny(selectors, p.Labels)) {
			pools = append(pools, p.Name)
		}
	}
	var lost []string
	for i, name := range listed {
		if known.config.Pool(name) != nil {
			continue
		}
		lost = append(lost, name)
		f.note(item(field, i), name, "%s", missing(v1beta1.KindIPAddressPool, name, known.pools))
	}
	switch {
	case len(lost) > 0 && len(selectors) == 0 && len(pools) == 0:
		f.unmet()
	case len(selectors) > 0 && len(pools) == 0:
		f.note("spec.ipAddressPoolSelectors", nil, "no accepted %s matches", v1beta1.KindIPAddressPool)
	}
	slices.Sort(pools)
	return pools
}

// unmet rejects an object because nothing that it names is there: what was
// noted so far becomes the reason.
func (f *findings) unmet() {
	if f.reason == 0 {
		f.reason = UnknownReference
	}
	f.faults = append(f.faults, f.notes...)
	f.notes = nil
}
