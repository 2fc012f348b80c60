package config_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
)

// object is an object of a kind; age is the second of its creation.
func object(kind, name string, age int, spec string) string {
	return fmt.Sprintf("kind: %s\nmetadata: {name: %s, creationTimestamp: \"2026-01-01T00:00:%02dZ\"}\nspec: {%s}", kind, name, age, spec)
}

func TestPeerVerdicts(t *testing.T) {
	one := func(name, spec, want string) verdictRow {
		row := verdictRow{name: name, docs: []string{object("BGPPeer", "a", 0, spec)}}
		if want != "" {
			row.want = []string{"BGPPeer/a: " + want}
		}
		return row
	}
	const to = `myASN: 64512, peerASN: 64513, peerAddress: 10.9.0.1, `
	rows := []verdictRow{
		one("least", `myASN: 1, dynamicASN: internal, interface: eth0`, ""),
		one("nothing", ``, `InvalidValue: spec.myASN 0: must be from 1 to 4294967295; `+
			`spec.peerASN: must be given, or else dynamicASN; spec.peerAddress: must be given, or else interface`),
		one("asn", `myASN: 4294967296, peerASN: -1, peerAddress: 10.9.0.1`,
			`InvalidValue: spec.myASN 4294967296: must be from 1 to 4294967295; spec.peerASN -1: must be from 1 to 4294967295`),
		one("two asns", to+`dynamicASN: external`, `InvalidValue: spec.dynamicASN "external": excludes peerASN: give one of the two`),
		one("dynamic", `myASN: 1, dynamicASN: any, peerAddress: 10.9.0.1`, `InvalidValue: spec.dynamicASN "any": must be internal or external`),
		one("address and interface", to+`interface: eth0`, `InvalidValue: spec.interface "eth0": excludes peerAddress: give one of the two`),
		one("name for an address", `myASN: 1, peerASN: 1, peerAddress: tor`, `InvalidValue: spec.peerAddress "tor": must be an IPv4 or IPv6 address`),
		one("zone", `myASN: 1, peerASN: 1, peerAddress: fe80::1%eth0`, `InvalidValue: spec.peerAddress "fe80::1%eth0": must be an IPv4 or IPv6 address`),
		one("unspecified", `myASN: 1, peerASN: 1, peerAddress: 0.0.0.0`,
			`InvalidValue: spec.peerAddress "0.0.0.0": must be the address of one router; for a link-local IPv6 address give interface instead`),
		one("interface", `myASN: 1, peerASN: 1, interface: interface-of-more`, `InvalidValue: spec.interface "interface-of-more": a device's name has at most 15 bytes`),
		one("vrf", to+`vrf: "a/b"`, `InvalidValue: spec.vrf "a/b": not the name of a device`),
		one("port", to+`peerPort: 65536`, `InvalidValue: spec.peerPort 65536: must be from 1 to 65535`),
		one("source family", to+`sourceAddress: "fd00::1"`,
			`InvalidValue: spec.sourceAddress "fd00::1": must be of the same address family as peerAddress "10.9.0.1"`),
		one("source unnumbered", `myASN: 1, peerASN: 1, interface: eth0, sourceAddress: 10.0.0.1`,
			`InvalidValue: spec.sourceAddress "10.0.0.1": needs peerAddress: an unnumbered session uses the interface's own address`),
		one("source multicast", to+`sourceAddress: 224.0.0.1`, `InvalidValue: spec.sourceAddress "224.0.0.1": must be an address of the node`),
		one("router id", to+`routerID: 0.0.0.0`, `InvalidValue: spec.routerID "0.0.0.0": must be an IPv4 address other than 0.0.0.0`),
		one("hold too short", to+`holdTime: 2s`, `InvalidValue: spec.holdTime "2s": must be 0s, or from 3s to 65535s`),
		one("hold not whole", to+`holdTime: 3500ms`, `InvalidValue: spec.holdTime "3.5s": must be whole seconds`),
		one("hold for ever", to+`holdTime: 0s`, ""),
		one("keepalive over a third", to+`keepaliveTime: 31s`, `InvalidValue: spec.keepaliveTime "31s": must be at most a third of holdTime 1m30s`),
		one("keepalive of zero", to+`keepaliveTime: 0s`, `InvalidValue: spec.keepaliveTime "0s": must be at least 1s`),
		one("keepalive without hold", to+`holdTime: 0s, keepaliveTime: 1s`, `InvalidValue: spec.keepaliveTime "1s": must be 0s or left out when holdTime is 0s`),
		one("connect", to+`connectTime: 0s`, `InvalidValue: spec.connectTime "0s": must be from 1s to 65535s`),
		one("hops", to+`ebgpMultiHop: true, ttlSecurity: true`, `InvalidValue: spec.ttlSecurity true: excludes ebgpMultiHop: it is for a router one hop away`),
		one("hops unnumbered", `myASN: 1, peerASN: 2, interface: eth0, ebgpMultiHop: true`,
			`InvalidValue: spec.ebgpMultiHop true: needs peerAddress: an unnumbered session is one hop`),
		one("unknown profile", to+`bfdProfile: fast`, `UnknownReference: spec.bfdProfile "fast": no such BFDProfile`),
		one("missing secret", to+`passwordSecret: tor`,
			`MissingSecret: spec.passwordSecret "tor": no Secret of that name with a key "password" in Herald's namespace`),
	}
	secret := one("password too long", to+`passwordSecret: tor`,
		`InvalidValue: spec.passwordSecret "tor": the password has 81 bytes, and TCP MD5 takes at most 80`)
	secret.passwords = map[string]string{"tor": strings.Repeat("x", 81)}
	rejected := one("profile that is not accepted", to+`bfdProfile: fast`, `UnknownReference: spec.bfdProfile "fast": BFDProfile "fast" is not accepted`)
	rejected.docs = append(rejected.docs, object("BFDProfile", "fast", 0, `receiveInterval: 1`))
	rejected.want = append([]string{`BFDProfile/fast: InvalidValue: spec.receiveInterval 1: must be from 10 to 60000`}, rejected.want...)
	for _, row := range append(rows, secret, rejected) {
		row.run(t)
	}
}

func TestPeerTwins(t *testing.T) {
	const to = `myASN: 64512, peerASN: 64513, peerAddress: "fd00::1"`
	rackA, rackB := `, nodeSelectors: [{matchLabels: {rack: a}}]`, `, nodeSelectors: [{matchLabels: {rack: b}}]`
	conflict := []string{`BGPPeer/a: Conflict: spec.peerAddress "fd00::1": BGPPeer "b", which came first, has it on the same nodes`}
	rows := []verdictRow{
		{name: "all nodes", docs: []string{object("BGPPeer", "a", 2, to), object("BGPPeer", "b", 1, to)}, want: conflict},
		{name: "spelled otherwise", docs: []string{object("BGPPeer", "a", 2, `myASN: 1, peerASN: 2, peerAddress: "fd00:0:0::1"`), object("BGPPeer", "b", 1, to)}, want: conflict},
		{name: "one selects all", docs: []string{object("BGPPeer", "a", 2, to+rackA), object("BGPPeer", "b", 1, to)}, want: conflict},
		{name: "an empty selector selects all", docs: []string{object("BGPPeer", "a", 2, to+rackA), object("BGPPeer", "b", 1, to+`, nodeSelectors: [{}]`)}, want: conflict},
		{name: "one selector", docs: []string{object("BGPPeer", "a", 2, to+rackA), object("BGPPeer", "b", 1, to+rackA)}, want: conflict},
		{name: "two racks", docs: []string{object("BGPPeer", "a", 2, to+rackA), object("BGPPeer", "b", 1, to+rackB)}},
		{name: "two VRFs", docs: []string{object("BGPPeer", "a", 2, to+`, vrf: red`), object("BGPPeer", "b", 1, to)}},
		{
			name: "one interface",
			docs: []string{object("BGPPeer", "a", 1, `myASN: 1, peerASN: 2, interface: eth1`), object("BGPPeer", "b", 1, `myASN: 1, dynamicASN: external, interface: eth1`)},
			want: []string{`BGPPeer/b: Conflict: spec.interface "eth1": BGPPeer "a", which came first, has it on the same nodes`},
		},
		{
			name: "one that is rejected rejects nobody",
			docs: []string{object("BGPPeer", "a", 2, to), object("BGPPeer", "b", 1, to+`, holdTime: 1s`)},
			want: []string{`BGPPeer/b: InvalidValue: spec.holdTime "1s": must be 0s, or from 3s to 65535s`},
		},
	}
	for _, row := range rows {
		row.run(t)
	}
}

func TestPeerValues(t *testing.T) {
	o := objects(t,
		object("BFDProfile", "fast", 0, `receiveInterval: 50, transmitInterval: 60, detectMultiplier: 5, passiveMode: true, minimumTTL: 250`),
		object("BGPPeer", "a", 0, `myASN: 64512, dynamicASN: external, peerAddress: 10.9.0.1, sourceAddress: 10.9.0.2, routerID: 1.1.1.1, holdTime: 10s,
			connectTime: 3s, passwordSecret: s, bfdProfile: fast, vrf: red, gracefulRestart: true, ttlSecurity: true, peerPort: 1179`),
		object("BGPPeer", "b", 0, `myASN: 64512, peerASN: 4200000000, interface: eth0`))
	o.Passwords = map[string]string{"s": "hidden"}
	c, _ := config.Parse(o)
	want := []config.Peer{
		{
			Name: "a", MyASN: 64512, Dynamic: config.DynamicExternal, Port: 1179,
			Address: netip.MustParseAddr("10.9.0.1"), SourceAddress: netip.MustParseAddr("10.9.0.2"), RouterID: netip.MustParseAddr("1.1.1.1"),
			HoldTime: 10 * time.Second, KeepaliveTime: 3 * time.Second, ConnectTime: 3 * time.Second,
			Password: "hidden", VRF: "red", GracefulRestart: true, TTLSecurity: true,
			BFD: &config.BFDProfile{
				Name: "fast", ReceiveInterval: 50 * time.Millisecond, TransmitInterval: 60 * time.Millisecond,
				DetectMultiplier: 5, PassiveMode: true, MinimumTTL: 250,
			},
		},
		{
			Name: "b", MyASN: 64512, PeerASN: 4200000000, Port: 179, Interface: "eth0",
			HoldTime: 90 * time.Second, KeepaliveTime: 30 * time.Second, ConnectTime: 5 * time.Second,
		},
	}
	if d := diffConfig(&config.Config{Peers: want}, c); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestCommunityVerdicts(t *testing.T) {
	list := func(name string, age int, pairs string) string {
		return object("Community", name, age, `communities: [`+pairs+`]`)
	}
	rows := []verdictRow{
		{name: "forms", docs: []string{list("a", 0, `{name: x, value: "0:65535"}, {name: y, value: "1:2:4294967295"}, {name: z, value: "large:1:2:3"}`)}},
		{name: "none", docs: []string{object("Community", "a", 0, "")}, want: []string{`Community/a: InvalidValue: spec.communities: must have at least one name`}},
		{
			name: "values", docs: []string{list("a", 0, `{name: x, value: "65536:1"}, {name: y, value: "large:1:2"}, {name: z, value: "1:-2"}`)},
			want: []string{`Community/a: InvalidValue: spec.communities[0].value "65536:1": "65536" is not a number from 0 to 65535; ` +
				`spec.communities[1].value "large:1:2": must be two numbers such as 65000:100, or three such as 64512:1:2; ` +
				`spec.communities[2].value "1:-2": "-2" is not a number from 0 to 65535`},
		},
		{
			name: "name", docs: []string{list("a", 0, `{name: "1:2", value: "1:2"}`)},
			want: []string{`Community/a: InvalidValue: spec.communities[0].name "1:2": must be letters, digits, '.', '_' and '-', and begin with a letter`},
		},
		{
			name: "twice", docs: []string{list("a", 0, `{name: x, value: "1:2"}, {name: x, value: "1:2"}`)},
			want: []string{`Community/a: Conflict: spec.communities[1].name "x": is given twice`},
		},
		{name: "in two objects, as one", docs: []string{list("a", 0, `{name: x, value: "1:2:3"}`), list("b", 0, `{name: x, value: "large:1:2:3"}`)}},
		{
			name: "in two objects, not as one", docs: []string{list("a", 2, `{name: x, value: "1:2"}`), list("b", 1, `{name: x, value: "1:3"}`)},
			want: []string{`Community/a: Conflict: spec.communities[0].name "x": is 1:3 in Community "b", which came first`},
		},
	}
	for _, row := range rows {
		row.run(t)
	}
}

func TestBFDProfileVerdicts(t *testing.T) {
	rows := []verdictRow{
		{name: "defaults", docs: []string{object("BFDProfile", "a", 0, "")}},
		{
			name: "all out of bounds", docs: []string{object("BFDProfile", "a", 0, `receiveInterval: 9, transmitInterval: 60001, detectMultiplier: 1, minimumTTL: 255`)},
			want: []string{`BFDProfile/a: InvalidValue: spec.receiveInterval 9: must be from 10 to 60000; spec.transmitInterval 60001: must be from 10 to 60000; ` +
				`spec.detectMultiplier 1: must be from 2 to 255; spec.minimumTTL 255: must be from 1 to 254`},
		},
	}
	for _, row := range rows {
		row.run(t)
	}
}

func TestBGPAdvertisementVerdicts(t *testing.T) {
	pools := []string{pool("big", 0, `addresses: [10.0.0.0/24, "fd00::/64"], exclude: [10.0.0.1]`), pool("small", 0, `addresses: [10.1.0.0/28]`),
		pool("halves", 0, `addresses: [10.2.0.0/25, 10.2.0.128-10.2.0.255]`), pool("bad", 9, `addresses: [10.2.0.0/23]`)}
	bad := `IPAddressPool/bad: Overlap: spec.addresses[0] "10.2.0.0/23": overlaps "10.2.0.0/25" of IPAddressPool "halves", which came first`
	peers := []string{object("BGPPeer", "tor", 0, `myASN: 1, peerASN: 2, peerAddress: 10.9.0.1`)}
	one := func(name, spec, want string) verdictRow {
		row := verdictRow{name: name, docs: append(append([]string{object("BGPAdvertisement", "a", 0, spec)}, pools...), peers...), want: []string{}}
		if want != "" {
			row.want = []string{"BGPAdvertisement/a: " + want}
		}
		row.want = append(row.want, bad)
		return row
	}
	rows := []verdictRow{
		one("everything", ``, ""),
		one("whole prefixes", `ipAddressPools: [big, halves], aggregationLength: 24, aggregationLengthV6: 64`, ""),
		one("more than a pool has", `ipAddressPools: [small], aggregationLength: 24`,
			`InvalidValue: spec.aggregationLength 24: 10.1.0.0/24 is more than IPAddressPool "small" has (10.1.0.0/28)`),
		one("more than one of the pools has", `ipAddressPools: [small, big], aggregationLength: 24`,
			`Partial: spec.aggregationLength 24: 10.1.0.0/24 is more than IPAddressPool "small" has (10.1.0.0/28)`),
		one("more in IPv6", `ipAddressPools: [big], aggregationLengthV6: 63`,
			`InvalidValue: spec.aggregationLengthV6 63: fd00::/63 is more than IPAddressPool "big" has (fd00::/64)`),
		one("aggregation bounds", `aggregationLength: 33, aggregationLengthV6: -1`,
			`InvalidValue: spec.aggregationLength 33: must be from 1 to 32; spec.aggregationLengthV6 -1: must be from 1 to 128`),
		one("unknown and rejected pools", `ipAddressPools: [none, bad]`,
			`Partial: spec.ipAddressPools[0] "none": no such IPAddressPool; spec.ipAddressPools[1] "bad": IPAddressPool "bad" is not accepted`),
		one("unknown peer", `peers: [none]`, `UnknownReference: spec.peers[0] "none": no such BGPPeer`),
		one("one unknown peer", `peers: [none, tor]`, `Partial: spec.peers[0] "none": no such BGPPeer`),
		one("unknown community", `communities: [no-export, "1:2"]`, `UnknownReference: spec.communities[0] "no-export": no Community has this name`),
		one("community", `communities: ["1:2:3:4"]`,
			`InvalidValue: spec.communities[0] "1:2:3:4": must be two numbers such as 65000:100, or three such as 64512:1:2`),
		one("attributes", `localPref: -1, med: 4294967296, asPathPrepend: 17`, `InvalidValue: spec.localPref -1: must be from 0 to 4294967295; `+
			`spec.med 4294967296: must be from 0 to 4294967295; spec.asPathPrepend 17: must be from 0 to 16`),
	}
	for _, row := range rows {
		row.run(t)
	}
	lost := one("community that is not accepted", `communities: [x]`, `UnknownReference: spec.communities[0] "x": Community "b", which has the name, is not accepted`)
	lost.docs = append(lost.docs, object("Community", "b", 0, `communities: [{name: x, value: "1"}]`), object("Community", "c", 0, `communities: [{name: x, value: "2"}]`))
	const form = `: must be two numbers such as 65000:100, or three such as 64512:1:2`
	lost.want = []string{lost.want[0], `Community/b: InvalidValue: spec.communities[0].value "1"` + form, `Community/c: InvalidValue: spec.communities[0].value "2"` + form, bad}
	lost.run(t)
}

func TestBGPAdvertisementValues(t *testing.T) {
	c, _ := config.Parse(objects(t, pool("a", 0, `addresses: [10.0.0.0/24]`), pool("b", 0, `addresses: [10.1.0.0/24]`),
		object("BGPPeer", "tor", 0, `myASN: 1, peerASN: 2, peerAddress: 10.9.0.1`),
		object("Community", "c", 0, `communities: [{name: x, value: "65535:1"}]`),
		object("BGPAdvertisement", "all", 0, ``),
		object("BGPAdvertisement", "one", 0, `ipAddressPools: [b], ipAddressPoolSelectors: [{matchLabels: {name: a}}], peers: [tor, tor], aggregationLength: 24, localPref: 0, med: 7,
			asPathPrepend: 2, communities: [x, "large:1:2:3", "1:2:3", "65535:1", "1:1"]`)))
	zero, seven := uint32(0), uint32(7)
	want := []config.BGPAdvertisement{
		{Name: "all", Pools: []string{"a", "b"}, AllPools: true, AggregationLength: 32, AggregationLengthV6: 128},
		{
			Name: "one", Pools: []string{"a", "b"}, Peers: []string{"tor"}, AggregationLength: 24, AggregationLengthV6: 128,
			LocalPref: &zero, MED: &seven, ASNPrepend: 2,
			Communities: []config.Community{{Global: 1, Local1: 1}, {Global: 65535, Local1: 1}, {Large: true, Global: 1, Local1: 2, Local2: 3}},
		},
	}
	if d := cmp.Diff(want, c.BGPAdvertisements); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
