package config_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
)

// pool is an IPAddressPool; age is the second of its creation.
func pool(name string, age int, spec string) string {
	return fmt.Sprintf("kind: IPAddressPool\nmetadata: {name: %s, labels: {name: %s}, creationTimestamp: \"2026-01-01T00:00:%02dZ\"}\nspec: {%s}",
		name, name, age, spec)
}

// A verdictRow is a set of objects and what Parse says of those that are not
// Valid, as "Kind/name: Reason: message".
type verdictRow struct {
	name      string
	docs      []string
	passwords map[string]string
	want      []string
}

func (r verdictRow) run(t *testing.T) {
	t.Helper()
	t.Run(r.name, func(t *testing.T) {
		o := objects(t, r.docs...)
		o.Passwords = r.passwords
		_, verdicts := config.Parse(o)
		var got []string
		for _, v := range verdicts {
			if accepted := v.Reason == config.Valid || v.Reason == config.Partial; v.Accepted != accepted {
				t.Errorf("%s %q: accepted is %v with reason %v", v.Kind, v.Name, v.Accepted, v.Reason)
			}
			if v.Reason != config.Valid {
				got = append(got, fmt.Sprintf("%s/%s: %v: %s", v.Kind, v.Name, v.Reason, v.Message))
			}
		}
		if d := cmp.Diff(r.want, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	})
}

func TestPoolVerdicts(t *testing.T) {
	one := func(name, spec, want string) verdictRow {
		row := verdictRow{name: name, docs: []string{pool("a", 0, spec)}}
		if want != "" {
			row.want = []string{"IPAddressPool/a: " + want}
		}
		return row
	}
	rows := []verdictRow{
		one("both families", `addresses: [10.0.0.0/24, "fd00::/64", 10.0.1.1-10.0.1.9]`, ""),
		one("spaces around the dash", `addresses: [10.0.1.1 - 10.0.1.9]`, ""),
		one("one address as a prefix", `addresses: [10.0.0.1/32]`, ""),
		one("none", ``, `InvalidValue: spec.addresses: must have at least one range`),
		one("end before start", `addresses: [10.0.2.0/24, 10.0.0.9-10.0.0.1]`,
			`InvalidValue: spec.addresses[1] "10.0.0.9-10.0.0.1": end before start`),
		one("host bits", `addresses: [10.0.0.1/24]`,
			`InvalidValue: spec.addresses[0] "10.0.0.1/24": host bits are set; the prefix is 10.0.0.0/24`),
		one("families", `addresses: ["10.0.0.1-fd00::1"]`,
			`InvalidValue: spec.addresses[0] "10.0.0.1-fd00::1": start and end are of different families`),
		one("single", `addresses: [10.0.0.1]`,
			`InvalidValue: spec.addresses[0] "10.0.0.1": a single address; write it as a prefix or as a range from it to itself`),
		one("mapped", `addresses: ["::ffff:10.0.0.0/120"]`,
			`InvalidValue: spec.addresses[0] "::ffff:10.0.0.0/120": IPv4-mapped IPv6; write it as IPv4`),
		one("everything", `addresses: [0.0.0.0/0]`,
			`InvalidValue: spec.addresses[0] "0.0.0.0/0": has addresses of 0.0.0.0/8, which no Service can be reached at`),
		one("multicast", `addresses: ["ff00::/16"]`,
			`InvalidValue: spec.addresses[0] "ff00::/16": has multicast addresses (ff00::/8), which no Service can be reached at`),
		one("two faults", `addresses: [10.0.0.1/24], cooldown: -1s`,
			`InvalidValue: spec.addresses[0] "10.0.0.1/24": host bits are set; the prefix is 10.0.0.0/24; spec.cooldown "-1s": must be from 0s to 720h`),
		one("overlap within", `addresses: [10.0.0.0/24, 10.0.0.128-10.0.1.3]`,
			`Overlap: spec.addresses[1] "10.0.0.128-10.0.1.3": overlaps spec.addresses[0] "10.0.0.0/24"`),
		one("excluded: address, prefix, range", `addresses: [10.0.0.0/24], exclude: [10.0.0.1, 10.0.0.8/29, 10.0.0.250-10.0.0.255]`, ""),
		one("excluded is wrong", `addresses: [10.0.0.0/24], exclude: [10.0.0.9-10.0.0.1]`,
			`InvalidValue: spec.exclude[0] "10.0.0.9-10.0.0.1": end before start`),
		one("excluded is elsewhere", `addresses: [10.0.0.0/24], exclude: [10.0.1.0/24]`,
			`Partial: spec.exclude[0] "10.0.1.0/24": is not in the pool, so it excludes nothing`),
		one("excluded is everything", `addresses: [10.0.0.0/24], exclude: [10.0.0.0/25, 10.0.0.128/25]`,
			`InvalidValue: spec.exclude: takes every address of the pool away`),
		one("buggy is everything", `addresses: [10.0.0.255-10.0.1.0], avoidBuggyIPs: true`,
			`InvalidValue: spec.avoidBuggyIPs true: takes every address of the pool away`),
		one("buggy is not everything", `addresses: [10.0.0.255-10.0.1.1], avoidBuggyIPs: true`, ""),
		one("buggy is of IPv4", `addresses: [10.0.0.255/32, "fd00::100/128"], avoidBuggyIPs: true`, ""),
		one("cooldown", `addresses: [10.0.0.0/24], cooldown: 721h`,
			`InvalidValue: spec.cooldown "721h0m0s": must be from 0s to 720h`),
		one("priority", `addresses: [10.0.0.0/24], serviceAllocation: {priority: -1}`,
			`InvalidValue: spec.serviceAllocation.priority -1: must not be negative`),
		one("namespace", `addresses: [10.0.0.0/24], serviceAllocation: {namespaces: [a, B]}`,
			`InvalidValue: spec.serviceAllocation.namespaces[1] "B": not the name of a namespace`),
		one("operator", `addresses: [10.0.0.0/24], serviceAllocation: {serviceSelectors: [{matchExpressions: [{key: a, operator: Equals}]}]}`,
			`InvalidValue: spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].operator "Equals": must be In, NotIn, Exists or DoesNotExist`),
		{
			name: "overlap: the older wins, whatever its name",
			docs: []string{pool("a", 2, `addresses: [10.0.0.0/24]`), pool("b", 1, `addresses: [10.0.0.128-10.0.1.9]`)},
			want: []string{`IPAddressPool/a: Overlap: spec.addresses[0] "10.0.0.0/24": overlaps "10.0.0.128-10.0.1.9" of IPAddressPool "b", which came first`},
		},
		{
			name: "overlap: same age, the name decides",
			docs: []string{pool("b", 1, `addresses: [10.0.0.0/24]`), pool("a", 1, `addresses: [10.0.0.5/32]`)},
			want: []string{`IPAddressPool/b: Overlap: spec.addresses[0] "10.0.0.0/24": overlaps "10.0.0.5/32" of IPAddressPool "a", which came first`},
		},
		{
			name: "overlap: not created yet is younger",
			docs: []string{"kind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [10.0.0.0/24]}", pool("b", 1, `addresses: [10.0.0.0/25]`)},
			want: []string{`IPAddressPool/a: Overlap: spec.addresses[0] "10.0.0.0/24": overlaps "10.0.0.0/25" of IPAddressPool "b", which came first`},
		},
		{
			name: "overlap: one that is rejected rejects nobody",
			docs: []string{
				pool("a", 1, `addresses: [10.0.0.0/24]`), pool("b", 2, `addresses: [10.0.0.0/23]`), pool("c", 3, `addresses: [10.0.1.0/24]`),
			},
			want: []string{`IPAddressPool/b: Overlap: spec.addresses[0] "10.0.0.0/23": overlaps "10.0.0.0/24" of IPAddressPool "a", which came first`},
		},
		{
			name: "overlap: what is excluded is free for others",
			docs: []string{pool("a", 1, `addresses: [10.0.0.0/24], exclude: [10.0.0.128/25]`), pool("b", 2, `addresses: [10.0.0.128/25]`)},
		},
		{
			name: "one name twice",
			docs: []string{pool("a", 1, `addresses: [10.0.0.0/24]`), pool("a", 1, `addresses: [10.0.1.0/24]`)},
			want: []string{
				`IPAddressPool/a: Conflict: metadata.name "a": 2 objects have this name`,
				`IPAddressPool/a: Conflict: metadata.name "a": 2 objects have this name`,
			},
		},
	}
	for _, row := range rows {
		row.run(t)
	}
}

func TestPoolValues(t *testing.T) {
	c, _ := config.Parse(objects(t,
		pool("last", 1, `addresses: [10.3.0.0/24]`),
		pool("b", 1, `addresses: ["fd00::/120", 10.2.0.0/24], exclude: [10.2.0.100/30, 10.2.0.255], autoAssign: false, avoidBuggyIPs: true, cooldown: 90s,
			serviceAllocation: {priority: 5, namespaces: [shop, blog, shop]}`),
		pool("a", 1, `addresses: [10.1.0.0/24], serviceAllocation: {priority: 5}`),
		pool("first", 1, `addresses: [10.0.0.0/24], serviceAllocation: {priority: 1}`)))

	var order []string
	for _, p := range c.Pools {
		order = append(order, p.Name)
	}
	if d := cmp.Diff([]string{"first", "a", "b", "last"}, order); d != "" {
		t.Errorf("order (-want +got)\n%s", d)
	}
	b := c.Pool("b")
	var ranges []string
	for _, r := range b.Ranges {
		ranges = append(ranges, r.String())
	}
	if d := cmp.Diff([]string{"10.2.0.0-10.2.0.99", "10.2.0.104-10.2.0.254", "fd00::1-fd00::ff"}, ranges); d != "" {
		t.Errorf("ranges (-want +got)\n%s", d)
	}
	if b.AutoAssign || !b.AvoidBuggyIPs || b.Cooldown != 90*time.Second || b.Priority != 5 || !slices.Equal(b.Scope.Namespaces, []string{"blog", "shop"}) {
		t.Errorf("pool b: %+v", b)
	}
	if a := c.Pool("a"); !a.AutoAssign || a.Pinned() || !b.Pinned() || a.Labels["name"] != "a" {
		t.Errorf("pool a: %+v", a)
	}
	if c.Pool("c") != nil {
		t.Error("there is no pool c")
	}
}

// The first address of an IPv6 prefix is given out by none but who asks for it
// by a range of its own.
func TestSubnetRouterAnycast(t *testing.T) {
	rows := []struct {
		name, spec string
		want       []string
	}{
		{"of a prefix", `addresses: ["fd00::10/124"]`, []string{"fd00::11-fd00::1f"}},
		{"between spaces", `addresses: [" fd00::10/124 "]`, []string{"fd00::11-fd00::1f"}},
		{"excluded besides", `addresses: ["fd00::10/124"], exclude: ["fd00::10"]`, []string{"fd00::11-fd00::1f"}},
		{"of a range", `addresses: ["fd00::10-fd00::1f"]`, []string{"fd00::10/124"}},
		{"of a link's two ends", `addresses: ["fd00::10/127", "fd00::20/128"]`, []string{"fd00::10/127", "fd00::20/128"}},
		{"of the smallest subnet", `addresses: ["fd00::10/126"]`, []string{"fd00::11-fd00::13"}},
		{"of IPv4", `addresses: [10.0.0.0/30]`, []string{"10.0.0.0/30"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			c, verdicts := config.Parse(objects(t, pool("a", 1, r.spec)))
			if len(c.Pools) != 1 || verdicts[0].Reason != config.Valid {
				t.Fatalf("verdicts: %+v", verdicts)
			}
			var got []string
			for _, g := range c.Pools[0].Ranges {
				got = append(got, g.String())
			}
			if d := cmp.Diff(r.want, got); d != "" {
				t.Errorf("ranges (-want +got)\n%s", d)
			}
		})
	}
	c, _ := config.Parse(objects(t, pool("a", 1, `addresses: ["fd00::/64"]`), pool("b", 2, `addresses: ["fd00::/128"]`)))
	if p := c.PoolOf(netip.MustParseAddr("fd00::")); p == nil || p.Name != "b" {
		t.Errorf("another pool's own address: of pool %+v, want b", p)
	}
}

func TestPoolOf(t *testing.T) {
	parsed, _ := config.Parse(objects(t,
		pool("a", 1, `addresses: [10.0.0.0/24, "fd00::/64"], exclude: [10.0.0.8/29]`),
		pool("b", 1, `addresses: [10.0.0.8-10.0.0.9, 10.0.2.0/24]`)))
	literal := &config.Config{Pools: parsed.Pools} // as a test of another package builds it
	rows := map[string]string{
		"10.0.0.0": "a", "10.0.0.7": "a", "10.0.0.8": "b", "10.0.0.9": "b", "10.0.0.10": "", "10.0.0.16": "a", "10.0.0.255": "a",
		"10.0.1.0": "", "10.0.2.0": "b", "10.0.3.0": "", "9.255.255.255": "", "fd00::": "", "fd00::1": "a", "fd00:0:0:1::": "", "fd00::1%eth0": "",
		"::ffff:10.0.0.1": "", "::": "",
	}
	for text, want := range rows {
		for _, c := range []*config.Config{parsed, literal} {
			got := ""
			if p := c.PoolOf(netip.MustParseAddr(text)); p != nil {
				got = p.Name
			}
			if got != want {
				t.Errorf("PoolOf(%s) = %q, want %q", text, got, want)
			}
		}
	}
	if new(config.Config).PoolOf(netip.Addr{}) != nil {
		t.Error("an empty Config has no pools")
	}
}

func TestPoolAllows(t *testing.T) {
	const scope = `addresses: [10.0.0.0/24], serviceAllocation: {namespaces: [shop, blog], namespaceSelectors: [{matchLabels: {tier: gold}}, {matchLabels: {tier: silver}}], serviceSelectors: [{matchExpressions: [{key: lb, operator: Exists}]}]}`
	c, _ := config.Parse(objects(t, pool("tied", 1, scope), pool("free", 1, `addresses: [10.0.1.0/24]`),
		pool("all", 1, `addresses: [10.0.2.0/24], serviceAllocation: {serviceSelectors: [{}]}`)))
	rows := []struct {
		name    string
		subject config.Subject
		want    bool
	}{
		{"all match", config.Subject{Namespace: "shop", NamespaceLabels: config.Labels{"tier": "silver"}, Labels: config.Labels{"lb": ""}}, true},
		{"namespace", config.Subject{Namespace: "other", NamespaceLabels: config.Labels{"tier": "gold"}, Labels: config.Labels{"lb": ""}}, false},
		{"namespace labels", config.Subject{Namespace: "shop", NamespaceLabels: config.Labels{"tier": "lead"}, Labels: config.Labels{"lb": ""}}, false},
		{"service labels", config.Subject{Namespace: "shop", NamespaceLabels: config.Labels{"tier": "gold"}}, false},
	}
	for _, row := range rows {
		if got := c.Pool("tied").Allows(row.subject); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
		if !c.Pool("free").Allows(row.subject) || !c.Pool("all").Allows(row.subject) {
			t.Errorf("%s: pools that are open to all allow it", row.name)
		}
	}
}

// A pool that is not accepted any longer is retired: what was assigned from it
// is still found, and the advertisements that cover it still do.
func TestRetiredPools(t *testing.T) {
	c, verdicts := config.Parse(objects(t,
		pool("good", 0, `addresses: [10.0.0.0/24]`),
		pool("late", 1, `addresses: [10.0.0.128-10.0.1.255]`),
		pool("typo", 2, `addresses: [10.0.1.0/24, 10.0.2.0/24, 10.0.3.9-10.0.3.1]`),
		object("L2Advertisement", "some", 0, `ipAddressPools: [late, typo]`)))
	for _, v := range verdicts {
		want := v.Name == "good" || v.Name == "some"
		if v.Accepted != want {
			t.Errorf("%s %s: accepted %v, want %v (%s)", v.Kind, v.Name, v.Accepted, want, v.Message)
		}
	}
	tests := []struct{ addr, home, gives string }{
		{addr: "10.0.0.200", home: "good", gives: "good"},
		{addr: "10.0.1.7", home: "late"},
		{addr: "10.0.2.7", home: "typo"},
		{addr: "10.0.3.5"},
	}
	for _, tt := range tests {
		a := netip.MustParseAddr(tt.addr)
		if got := nameOf(c.HomeOf(a)); got != tt.home {
			t.Errorf("home of %s: %q, want %q", a, got, tt.home)
		}
		if got := nameOf(c.PoolOf(a)); got != tt.gives {
			t.Errorf("pool of %s: %q, want %q", a, got, tt.gives)
		}
	}
	if d := cmp.Diff([]string{"late", "typo"}, c.L2Advertisements[0].Pools); d != "" {
		t.Errorf("advertised pools (-want +got)\n%s", d)
	}
}

// nameOf returns the name of a pool; that of none is empty.
func nameOf(p *config.Pool) string {
	if p == nil {
		return ""
	}
	return p.Name
}
