package ipam_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/internal/iprange"
	"github.com/heraldlb/herald/ipam"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// both asks for two families, IPv4 first.
var both = []ipam.Family{ipam.IPv4, ipam.IPv6}

func TestAllocate(t *testing.T) {
	pools := []ipam.Pool{
		pool(t, "a-four", "192.0.2.0/30"),
		pool(t, "b-six", "2001:db8::/64"),
		pool(t, "c-dual", "198.51.100.8/31", "2001:db8:1::/126"),
		pool(t, "d-tiny", "203.0.113.1/32"),
		avoiding(pool(t, "e-avoid", "10.0.0.255-10.0.1.1")),
	}
	all := []string{"a-four", "b-six", "c-dual", "d-tiny", "e-avoid"}
	http, https := ports("TCP 80"), ports("TCP 443")
	tests := []struct {
		name  string
		given []claim
		req   ipam.Request
		want  string // address@pool, or else part of the error
	}{
		{name: "lowest of the first", req: request(all, ipam.IPv4), want: "192.0.2.0@a-four"},
		{name: "all are candidates", req: ipam.Request{Owner: "me", Families: both[:1]}, want: "192.0.2.0@a-four"},
		{name: "lowest gap", given: []claim{{"a", "192.0.2.0", shared("")}, {"b", "192.0.2.2", shared("")}}, req: request(all, ipam.IPv4), want: "192.0.2.1@a-four"},
		{name: "next pool when full", given: []claim{{"a", "198.51.100.8", shared("")}, {"b", "198.51.100.9", shared("")}}, req: request([]string{"c-dual", "d-tiny"}, ipam.IPv4), want: "203.0.113.1@d-tiny"},
		{name: "no .0 and no .255", req: request([]string{"e-avoid"}, ipam.IPv4), want: "10.0.1.1@e-avoid"},
		{name: "two families from one pool", req: request(all, both...), want: "198.51.100.8@c-dual 2001:db8:1::@c-dual"},
		{name: "in the order asked for", req: request(all, ipam.IPv6, ipam.IPv4), want: "2001:db8:1::@c-dual 198.51.100.8@c-dual"},
		{name: "two families from two pools", req: request([]string{"a-four", "b-six"}, both...), want: "192.0.2.0@a-four 2001:db8::@b-six"},
		{name: "both or nothing", req: request([]string{"a-four", "d-tiny"}, both...), want: `allocate for "me": no address left: pool "a-four": no IPv6 addresses; pool "d-tiny": no IPv6 addresses`},
		{name: "one pool without room", given: []claim{{"a", "203.0.113.1", shared("")}}, req: request([]string{"d-tiny"}, ipam.IPv4), want: `pool "d-tiny": all 1 IPv4 addresses are in use`},
		{name: "no candidate", req: request(nil, ipam.IPv4), want: "no pool is a candidate"},
		{name: "no such pool", req: request([]string{"gold"}, ipam.IPv4), want: `pool "gold": no such pool`},
		{name: "no family", req: request(all), want: "no family asked for"},
		{name: "family twice", req: request(all, ipam.IPv4, ipam.IPv4), want: "family IPv4: asked for twice"},

		{name: "keeps what it has", given: []claim{{"me", "192.0.2.3", shared("")}}, req: request(all, ipam.IPv4), want: "192.0.2.3@a-four"},
		{name: "leaves a pool that is no candidate", given: []claim{{"me", "192.0.2.3", shared("")}}, req: request([]string{"d-tiny"}, ipam.IPv4), want: "203.0.113.1@d-tiny"},
		{name: "adds a family where it is", given: []claim{{"me", "198.51.100.9", shared("")}}, req: request(all, both...), want: "198.51.100.9@c-dual 2001:db8:1::@c-dual"},
		{name: "adds a family from elsewhere", given: []claim{{"me", "192.0.2.3", shared("")}}, req: request(all, both...), want: "192.0.2.3@a-four 2001:db8::@b-six"},
		{name: "gives a family up", given: []claim{{"me", "192.0.2.3 2001:db8::9", shared("")}}, req: request(all, ipam.IPv6), want: "2001:db8::9@b-six"},

		{name: "shares before it takes", given: []claim{{"a", "192.0.2.2", shared("k", http...)}}, req: sharing(request(all, ipam.IPv4), shared("k", https...)), want: "192.0.2.2@a-four"},
		{name: "same port does not share", given: []claim{{"a", "192.0.2.2", shared("k", http...)}}, req: sharing(request(all, ipam.IPv4), shared("k", http...)), want: "192.0.2.0@a-four"},
		{name: "other protocol shares", given: []claim{{"a", "192.0.2.2", shared("k", ports("TCP 53")...)}}, req: sharing(request(all, ipam.IPv4), shared("k", ports("UDP 53")...)), want: "192.0.2.2@a-four"},
		{name: "other key does not share", given: []claim{{"a", "192.0.2.0", shared("k", http...)}}, req: sharing(request(all, ipam.IPv4), shared("l", https...)), want: "192.0.2.1@a-four"},
		{name: "other pods do not share", given: []claim{{"a", "192.0.2.0", local("k", "app=a", http...)}}, req: sharing(request(all, ipam.IPv4), local("k", "app=b", https...)), want: "192.0.2.1@a-four"},
		{name: "same pods share", given: []claim{{"a", "192.0.2.2", local("k", "app=a", http...)}}, req: sharing(request(all, ipam.IPv4), local("k", "app=a", https...)), want: "192.0.2.2@a-four"},
		{name: "does not leave the first pool to share", given: []claim{{"a", "203.0.113.1", shared("k", http...)}}, req: sharing(request(all, ipam.IPv4), shared("k", https...)), want: "192.0.2.0@a-four"},
		{name: "shares in a full pool", given: []claim{{"a", "203.0.113.1", shared("k", http...)}}, req: sharing(request([]string{"d-tiny"}, ipam.IPv4), shared("k", https...)), want: "203.0.113.1@d-tiny"},
		{
			name:  "moves away when it can share no longer",
			given: []claim{{"a", "192.0.2.2", shared("k", http...)}, {"me", "192.0.2.2", shared("k", https...)}},
			req:   sharing(request(all, ipam.IPv4), shared("k", http...)), want: "192.0.2.0@a-four",
		},
		{
			name:  "stays when it stops sharing and is alone",
			given: []claim{{"me", "192.0.2.2", shared("k", https...)}},
			req:   request(all, ipam.IPv4), want: "192.0.2.2@a-four",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := allocator(t, pools, tt.given)
			before := a.Holdings("me")
			got, err := a.Allocate(tt.req, start)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				if len(tt.req.Families) == 1 && !errors.Is(err, ipam.ErrExhausted) {
					t.Errorf("error %v is not ErrExhausted", err)
				}
				if diff := cmp.Diff(text(before), text(a.Holdings("me"))); diff != "" {
					t.Errorf("holdings after an error (-want +got)\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(tt.want, text(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestClaim(t *testing.T) {
	pools := []ipam.Pool{pool(t, "four", "192.0.2.0/29"), avoiding(pool(t, "avoid", "10.0.0.0/24"))}
	http, https := ports("TCP 80"), ports("TCP 443")
	holder := claim{"a", "192.0.2.1", shared("k", http...)}
	tests := []struct {
		name  string
		given []claim
		do    claim
		want  string
	}{
		{name: "free", do: claim{"me", "192.0.2.1", shared("")}, want: "192.0.2.1@four"},
		{name: "two of a family", do: claim{"me", "192.0.2.5 192.0.2.1", shared("")}, want: "192.0.2.5@four 192.0.2.1@four"},
		{name: "one twice", do: claim{"me", "192.0.2.5 192.0.2.5", shared("")}, want: "192.0.2.5@four"},
		{name: "moves", given: []claim{{"me", "192.0.2.1 192.0.2.2", shared("")}}, do: claim{"me", "192.0.2.2 192.0.2.3", shared("")}, want: "192.0.2.2@four 192.0.2.3@four"},
		{name: "in no pool", do: claim{"me", "203.0.113.9", shared("")}, want: `claim 203.0.113.9 for "me": address is in no pool`},
		{name: "left out", do: claim{"me", "10.0.0.255", shared("")}, want: `pool "avoid" leaves out addresses that end in .0 and .255`},
		{name: "not valid", do: claim{"me", "::ffff:192.0.2.1", shared("")}, want: "in no pool"},
		{name: "all or nothing", given: []claim{{"me", "192.0.2.1", shared("")}}, do: claim{"me", "192.0.2.2 203.0.113.9", shared("")}, want: "in no pool"},
		{name: "shares", given: []claim{holder}, do: claim{"me", "192.0.2.1", shared("k", https...)}, want: "192.0.2.1@four"},

		{name: "neither shares", given: []claim{{"a", "192.0.2.1", shared("")}}, do: claim{"me", "192.0.2.1", shared("")}, want: `claim for "me": address 192.0.2.1 is held by "a": neither has a sharing key`},
		{name: "claimant does not share", given: []claim{holder}, do: claim{"me", "192.0.2.1", shared("")}, want: "only the holder has a sharing key"},
		{name: "holder does not share", given: []claim{{"a", "192.0.2.1", shared("")}}, do: claim{"me", "192.0.2.1", shared("k")}, want: "the holder has no sharing key"},
		{name: "keys differ", given: []claim{holder}, do: claim{"me", "192.0.2.1", shared("other")}, want: "their sharing keys differ"},
		{name: "one is local", given: []claim{holder}, do: claim{"me", "192.0.2.1", local("k", "app=a")}, want: "only one of them has externalTrafficPolicy Local"},
		{name: "pods differ", given: []claim{{"a", "192.0.2.1", local("k", "app=b")}}, do: claim{"me", "192.0.2.1", local("k", "app=a")}, want: "both have externalTrafficPolicy Local, with different pods"},
		{
			name:  "port of the second holder",
			given: []claim{holder, {"b", "192.0.2.1", shared("k", https...)}},
			do:    claim{"me", "192.0.2.1", shared("k", https...)}, want: `address 192.0.2.1 is held by "b": both use TCP port 443`,
		},
		{
			name:  "own new ports",
			given: []claim{holder, {"me", "192.0.2.1", shared("k", https...)}},
			do:    claim{"me", "192.0.2.1", shared("k", ports("TCP 443", "TCP 8080")...)}, want: "192.0.2.1@four",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := allocator(t, pools, tt.given)
			before := a.Holdings("me")
			err := a.Claim(tt.do.owner, addrs(t, tt.do.addrs), tt.do.sharing, start)
			if err == nil {
				if diff := cmp.Diff(tt.want, text(a.Holdings("me"))); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				return
			}
			conflict, ok := errors.AsType[*ipam.ConflictError](err)
			if !strings.Contains(err.Error(), tt.want) || (!ok && !errors.Is(err, ipam.ErrNotInPool)) || (ok && conflict.Rule == "") {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(text(before), text(a.Holdings("me"))); diff != "" {
				t.Errorf("holdings after an error (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	a := allocator(t, []ipam.Pool{pool(t, "four", "192.0.2.0/30")}, []claim{{"a", "192.0.2.0", shared("")}})
	if !a.Release("a", start) || a.Release("a", start) || a.Holdings("a") != nil {
		t.Errorf("released wrongly, holds %v", a.Holdings("a"))
	}
	if got, err := a.Allocate(request([]string{"four"}, ipam.IPv4), start); err != nil || text(got) != "192.0.2.0@four" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCooldown(t *testing.T) {
	tiny := pool(t, "tiny", "192.0.2.4/31")
	tiny.Cooldown = time.Minute
	a := allocator(t, []ipam.Pool{tiny}, []claim{{"a", "192.0.2.4", shared("")}, {"b", "192.0.2.5", shared("")}})
	req := request([]string{"tiny"}, ipam.IPv4)
	a.Release("a", start)
	a.Release("b", start.Add(10*time.Second))

	_, err := a.Allocate(req, start.Add(59*time.Second))
	if !errors.Is(err, ipam.ErrExhausted) || !strings.Contains(err.Error(), "all 2 IPv4 addresses are in use, or rest after it (2)") {
		t.Fatalf("error %v", err)
	}
	if got := a.NextRested(start); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("next rested at %v", got)
	}
	if err := a.Claim("named", addrs(t, "192.0.2.4"), shared(""), start.Add(59*time.Second)); err != nil {
		t.Errorf("an owner that names an address that rests: %v", err)
	}
	got, err := a.Allocate(req, start.Add(70*time.Second))
	if err != nil || text(got) != "192.0.2.5@tiny" {
		t.Errorf("got %v, %v", got, err)
	}
	if got := a.NextRested(start.Add(70 * time.Second)); !got.IsZero() {
		t.Errorf("next rested at %v", got)
	}

	a.Release("me", start.Add(80*time.Second))
	tiny.Cooldown = time.Second
	set(t, a, []ipam.Pool{tiny}, start.Add(82*time.Second))
	if got := a.Usage("tiny", ipam.IPv4).Available.Int64(); got != 1 {
		t.Errorf("after the cooldown was cut: %d available", got)
	}
}

func TestSetPools(t *testing.T) {
	a := allocator(t, []ipam.Pool{pool(t, "old", "192.0.2.0/24")}, []claim{{"a", "192.0.2.7", shared("k", ports("TCP 80")...)}})
	for _, step := range []struct {
		name  string
		pools []ipam.Pool
		want  string
	}{
		{name: "same", pools: []ipam.Pool{pool(t, "old", "192.0.2.0/24")}, want: "192.0.2.7@old"},
		{name: "split", pools: []ipam.Pool{pool(t, "old", "192.0.2.128/25"), pool(t, "new", "192.0.2.0/25")}, want: "192.0.2.7@new"},
		{name: "gone", pools: nil, want: "192.0.2.7@"},
		{name: "elsewhere", pools: []ipam.Pool{pool(t, "old", "192.0.2.128/25")}, want: "192.0.2.7@"},
		{name: "back", pools: []ipam.Pool{pool(t, "back", "192.0.2.7/32")}, want: "192.0.2.7@back"},
	} {
		set(t, a, step.pools, start)
		if diff := cmp.Diff(step.want, text(a.Holdings("a"))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.name, diff)
		}
	}
	got, err := a.Allocate(sharing(request([]string{"back"}, ipam.IPv4), shared("k", ports("TCP 443")...)), start)
	if err != nil || text(got) != "192.0.2.7@back" {
		t.Errorf("who shares an address that came back got %v, %v", got, err)
	}

	for want, pools := range map[string][]ipam.Pool{
		`pool "y": range 192.0.2.128/25 overlaps range 192.0.2.0/24 of pool "x"`: {pool(t, "y", "192.0.2.128/25"), pool(t, "x", "192.0.2.0/24")},
		`pool "x": range 192.0.2.3/32 overlaps range 192.0.2.0/24 of pool "x"`:   {pool(t, "x", "192.0.2.3/32", "192.0.2.0/24")},
		`pool "x": given twice`:             {pool(t, "x", "192.0.2.3/32"), pool(t, "x", "192.0.2.4/32")},
		`pool "x": range without addresses`: {{Name: "x", Ranges: make([]iprange.Range, 1)}},
	} {
		if err := a.SetPools(pools, start); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if got := a.PoolOf(netip.MustParseAddr("192.0.2.7")); got != "back" {
			t.Errorf("after an error the pool is %q", got)
		}
	}
}

func TestOrphans(t *testing.T) {
	a := ipam.New()
	if err := a.ClaimExisting("a", addrs(t, "192.0.2.7 2001:db8::7"), shared("")); err != nil {
		t.Fatal(err)
	}
	if err := a.ClaimExisting("b", addrs(t, "192.0.2.7"), shared("")); err == nil {
		t.Error("two owners of an orphan")
	}
	if err := a.ClaimExisting("b", addrs(t, "::ffff:192.0.2.8"), shared("")); err == nil {
		t.Error("a mapped address")
	}
	if err := a.Claim("a", addrs(t, "2001:db8::7"), shared(""), start); err != nil {
		t.Errorf("claim of an orphan by its owner: %v", err)
	}
	if got := a.Owners(netip.MustParseAddr("192.0.2.7")); got != nil {
		t.Errorf("a released orphan has owners %v", got)
	}
	set(t, a, []ipam.Pool{pool(t, "six", "2001:db8::/64")}, start)
	if got := text(a.Holdings("a")); got != "2001:db8::7@six" {
		t.Errorf("adopted: %s", got)
	}
	want := ipam.Usage{Assigned: iprange.CountOf(1)}
	want.Total = iprange.FromPrefix(netip.MustParsePrefix("2001:db8::/64")).Size()
	want.Available = want.Total.Sub(want.Assigned)
	if diff := cmp.Diff(want, a.Usage("six", ipam.IPv6)); diff != "" {
		t.Errorf("usage (-want +got)\n%s", diff)
	}
	if got := a.Usage("six", ipam.IPv4); got != (ipam.Usage{}) {
		t.Errorf("usage of the other family: %v", got)
	}
}

func TestWords(t *testing.T) {
	for want, value := range map[string]interface{ String() string }{
		"IPv4": ipam.IPv4, "IPv6": ipam.FamilyOf(netip.MustParseAddr("::1")), "unknown family": ipam.FamilyOf(netip.Addr{}),
		"UnknownPool": ipam.UnknownPool, "NoFamily": ipam.NoFamily, "Full": ipam.Full, "Unknown": ipam.Cause(0),
	} {
		if got := value.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestExhaustedErrorIsShort(t *testing.T) {
	var pools []ipam.Pool
	for i := range 100 {
		pools = append(pools, pool(t, fmt.Sprint("p", i), fmt.Sprintf("2001:db8:%d::/64", i)))
	}
	_, err := allocator(t, pools, nil).Allocate(ipam.Request{Owner: "me", Families: []ipam.Family{ipam.IPv4}}, start)
	exhausted, ok := errors.AsType[*ipam.ExhaustedError](err)
	if !ok || len(exhausted.Shortages) != 100 || !strings.HasSuffix(err.Error(), "; and 92 more") {
		t.Errorf("error %v", err)
	}
}
