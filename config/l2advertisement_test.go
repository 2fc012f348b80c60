package config_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/heraldlb/herald/config"
)

func TestL2AdvertisementVerdicts(t *testing.T) {
	pools := []string{pool("a", 1, `addresses: [10.0.0.0/24]`), pool("b", 2, `addresses: [10.1.0.0/24]`), pool("bad", 3, `addresses: [10.0.0.0/25]`)}
	bad := `IPAddressPool/bad: Overlap: spec.addresses[0] "10.0.0.0/25": overlaps "10.0.0.0/24" of IPAddressPool "a", which came first`
	one := func(name, spec, want string) verdictRow {
		row := verdictRow{name: name, docs: append([]string{object("L2Advertisement", "l", 0, spec)}, pools...), want: []string{bad}}
		if want != "" {
			row.want = []string{bad, "L2Advertisement/l: " + want}
		}
		return row
	}
	rows := []verdictRow{
		one("everything", ``, ""),
		one("names and selectors", `ipAddressPools: [a], ipAddressPoolSelectors: [{matchLabels: {name: b}}]`, ""),
		one("unknown pool", `ipAddressPools: [gold]`, `UnknownReference: spec.ipAddressPools[0] "gold": no such IPAddressPool`),
		one("rejected pool", `ipAddressPools: [bad]`, `UnknownReference: spec.ipAddressPools[0] "bad": IPAddressPool "bad" is not accepted`),
		one("one unknown pool", `ipAddressPools: [a, gold]`, `Partial: spec.ipAddressPools[1] "gold": no such IPAddressPool`),
		one("selector without a pool", `ipAddressPoolSelectors: [{matchLabels: {name: gold}}]`,
			`Partial: spec.ipAddressPoolSelectors: no accepted IPAddressPool matches`),
		one("unknown pool beside a selector", `ipAddressPools: [gold], ipAddressPoolSelectors: [{matchLabels: {name: gold}}]`,
			`Partial: spec.ipAddressPools[0] "gold": no such IPAddressPool; spec.ipAddressPoolSelectors: no accepted IPAddressPool matches`),
		one("weight", `preferredNodes: [{weight: 0, selector: {}}, {weight: 101, selector: {}}]`,
			`InvalidValue: spec.preferredNodes[0].weight 0: must be from 1 to 100; spec.preferredNodes[1].weight 101: must be from 1 to 100`),
		one("patterns", `interfaces: [eth0, "bond*", "en[op]?s0", "a-pattern-may-be-longer-than-15-*"]`, ""),
		one("wrong patterns", `interfaces: ["eth[0", "", "a/b", interface-of-more]`,
			`InvalidValue: spec.interfaces[0] "eth[0": not a pattern: a [ or \ is not complete; spec.interfaces[1] "": must not be empty; `+
				`spec.interfaces[2] "a/b": an interface's name has no slash and no space; spec.interfaces[3] "interface-of-more": an interface's name has at most 15 bytes`),
		one("label value", `nodeSelectors: [{matchLabels: {zone: "a b", "b c": d}}]`,
			`InvalidValue: spec.nodeSelectors[0].matchLabels["b c"] "b c": not a label's key: at most 63 letters, digits, '-', '_' and '.', after a DNS name and a slash if any; `+
				`spec.nodeSelectors[0].matchLabels["zone"] "a b": not a label's value: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends`),
		one("selector of a preferred node", `preferredNodes: [{weight: 1, selector: {matchExpressions: [{key: a, operator: In}]}}]`,
			`InvalidValue: spec.preferredNodes[0].selector.matchExpressions[0] "a": values are required with In and NotIn, and not allowed with Exists and DoesNotExist`),
	}
	for _, row := range rows {
		row.run(t)
	}
}

func TestL2AdvertisementValues(t *testing.T) {
	c, _ := config.Parse(objects(t, pool("b", 0, `addresses: [10.1.0.0/24]`), pool("a", 0, `addresses: [10.0.0.0/24]`),
		object("L2Advertisement", "all", 0, ``),
		object("L2Advertisement", "none", 0, `ipAddressPoolSelectors: [{matchLabels: {name: c}}]`),
		object("L2Advertisement", "some", 0, `ipAddressPools: [b], interfaces: [eth1, eth0, eth1], nodeSelectors: [{matchLabels: {x: "1"}}, {}],
			serviceSelectors: [{matchExpressions: [{key: app, operator: NotIn, values: [b, a]}]}], preferredNodes: [{weight: 3, selector: {matchLabels: {z: "1"}}}], failback: true`)))
	sel := func(s string) labels.Selector {
		parsed, err := labels.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	want := []config.L2Advertisement{
		{Name: "all", Pools: []string{"a", "b"}, AllPools: true},
		{Name: "none"},
		{
			Name: "some", Pools: []string{"b"}, Interfaces: []string{"eth0", "eth1"},
			NodeSelectors:    []labels.Selector{sel("x=1"), labels.Everything()},
			ServiceSelectors: []labels.Selector{sel("app notin (a,b)")},
			Preferred:        []config.WeightedSelector{{Weight: 3, Selector: sel("z=1")}},
			Failback:         true,
		},
	}
	if d := diffConfig(&config.Config{L2Advertisements: want}, &config.Config{L2Advertisements: c.L2Advertisements}); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
