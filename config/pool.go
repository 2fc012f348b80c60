package config

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/iprange"
)

// maxCooldown bounds spec.cooldown; the schema states it too.
const maxCooldown = 720 * time.Hour

// pools judges all pools, and puts those accepted into c in the order in which
// they are tried, and what can be read of the others as retired. The map has
// the addresses of those accepted before exclusions.
func (j *judgment) pools(objects []v1beta1.IPAddressPool, c *Config) map[string][]iprange.Range {
	var taken spans
	declared := map[string][]iprange.Range{}
	meta := func(o *v1beta1.IPAddressPool) *metav1.ObjectMeta { return &o.ObjectMeta }
	c.Pools = judge(j, v1beta1.KindIPAddressPool, objects, meta, func(o *v1beta1.IPAddressPool, f *findings) Pool {
		all := f.addresses(o)
		own := f.exclude(o, all)
		f.overlaps(own, taken)
		p := f.pool(o, own)
		if !f.accepted() {
			c.Retired = append(c.Retired, p)
			return p
		}
		taken = taken.with(own)
		declared[o.Name] = all.ranges()
		return p
	})
	slices.SortStableFunc(c.Pools, func(a, b Pool) int {
		return cmp.Or(cmp.Compare(rank(a.Priority), rank(b.Priority)), cmp.Compare(a.Name, b.Name))
	})
	c.Retired = disjoint(c.Retired, taken.ranges())
	return declared
}

// disjoint sorts pools by name and takes from each what is taken already or
// belongs to one before it. Pools that have nothing left are dropped.
func disjoint(pools []Pool, taken []iprange.Range) []Pool {
	slices.SortFunc(pools, func(a, b Pool) int { return cmp.Compare(a.Name, b.Name) })
	var left []Pool
	for _, p := range pools {
		p.Ranges = iprange.Subtract(p.Ranges, taken)
		if len(p.Ranges) == 0 {
			continue
		}
		taken = append(slices.Clip(taken), p.Ranges...)
		left = append(left, p)
	}
	return left
}

// rank returns the place of a priority; zero comes last.
func rank(priority int) int {
	if priority == 0 {
		return math.MaxInt
	}
	return priority
}

// pool judges the rest of a pool that gives out own.
func (f *findings) pool(o *v1beta1.IPAddressPool, own spans) Pool {
	p := Pool{
		Name:          o.Name,
		Labels:        maps.Clone(o.Labels),
		AutoAssign:    o.Spec.AutoAssign == nil || *o.Spec.AutoAssign,
		AvoidBuggyIPs: o.Spec.AvoidBuggyIPs,
		Ranges:        own.ranges(),
	}
	switch {
	case !f.accepted():
	case len(own) == 0:
		f.reject(InvalidValue, "spec.exclude", nil, "takes every address of the pool away")
	case p.AvoidBuggyIPs && !slices.ContainsFunc(p.Ranges, hasSound):
		f.reject(InvalidValue, "spec.avoidBuggyIPs", true, "takes every address of the pool away")
	}
	if d := o.Spec.Cooldown; d != nil {
		p.Cooldown = d.Duration
		if d.Duration < 0 || d.Duration > maxCooldown {
			f.reject(InvalidValue, "spec.cooldown", d.Duration.String(), "must be from 0s to 720h")
		}
	}
	if a := o.Spec.ServiceAllocation; a != nil {
		f.allocation(a, &p)
	}
	return p
}

// allocation judges spec.serviceAllocation.
func (f *findings) allocation(a *v1beta1.ServiceAllocation, p *Pool) {
	const at = "spec.serviceAllocation."
	p.Priority = int(a.Priority)
	if a.Priority < 0 {
		f.reject(InvalidValue, at+"priority", a.Priority, "must not be negative")
	}
	for i, ns := range a.Namespaces {
		if problems := validation.IsDNS1123Label(ns); len(problems) > 0 {
			f.reject(InvalidValue, item(at+"namespaces", i), ns, "not the name of a namespace")
		}
	}
	p.Scope = Scope{
		Namespaces:         sortedSet(a.Namespaces),
		NamespaceSelectors: f.selectors(at+"namespaceSelectors", a.NamespaceSelectors),
		ServiceSelectors:   f.selectors(at+"serviceSelectors", a.ServiceSelectors),
	}
}

// addresses judges spec.addresses, and returns its ranges sorted.
func (f *findings) addresses(o *v1beta1.IPAddressPool) spans {
	const at = "spec.addresses"
	if len(o.Spec.Addresses) == 0 {
		f.reject(InvalidValue, at, nil, "must have at least one range")
	}
	var all spans
	for i, text := range o.Spec.Addresses {
		s := span{pool: o.Name, field: item(at, i), text: text}
		r, err := iprange.Parse(text)
		if err != nil {
			f.reject(InvalidValue, s.field, text, "%s", ruleOf(err))
			continue
		}
		s.Range = r
		if what := unusableIn(r); what != "" {
			f.reject(InvalidValue, s.field, text, "has %s, which no Service can be reached at", what)
			continue
		}
		if other, ok := all.overlap(r); ok {
			f.reject(Overlap, s.field, text, "overlaps %s %q", other.field, shorten(other.text))
			continue
		}
		all = all.with(spans{s})
	}
	return all
}

// exclude judges spec.exclude, and returns what it leaves of all.
func (f *findings) exclude(o *v1beta1.IPAddressPool, all spans) spans {
	var cut []iprange.Range
	for i, text := range o.Spec.Exclude {
		field := item("spec.exclude", i)
		r, err := parseExcluded(text)
		if err != nil {
			f.reject(InvalidValue, field, text, "%s", ruleOf(err))
			continue
		}
		if _, ok := all.overlap(r); !ok {
			f.note(field, text, "is not in the pool, so it excludes nothing")
		}
		cut = append(cut, r)
	}
	var rest spans
	for _, s := range all {
		for _, r := range iprange.Subtract([]iprange.Range{s.given()}, cut) {
			left := s
			left.Range = r
			rest = append(rest, left)
		}
	}
	return rest
}

// overlaps rejects a pool that has addresses in common with accepted ones.
func (f *findings) overlaps(own, taken spans) {
	seen := map[[2]string]bool{} // a range in pieces overlaps once
	for _, s := range own {
		other, ok := taken.overlap(s.Range)
		if !ok || seen[[2]string{s.field, other.field}] {
			continue
		}
		seen[[2]string{s.field, other.field}] = true
		f.reject(Overlap, s.field, s.text, "overlaps %q of IPAddressPool %q, which came first",
			shorten(other.text), other.pool)
	}
}
