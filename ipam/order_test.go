package ipam_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/ipam"
)

// Pools have their turn by rank and then by name, but for the near one.
func TestOrder(t *testing.T) {
	rank := func(n int, p ipam.Pool) ipam.Pool { p.Rank = n; return p }
	pools := []ipam.Pool{
		rank(2, pool(t, "a", "192.0.2.0/30", "2001:db8::/64")),
		rank(1, pool(t, "b", "192.0.2.4/32")),
		rank(1, pool(t, "c", "192.0.2.8/32")),
		rank(1, pool(t, "d", "2001:db8:d::/64")),
		rank(0, pool(t, "e", "192.0.2.12/32")),
	}
	any4 := ipam.Request{Owner: "me", Families: both[:1]}
	any2 := ipam.Request{Owner: "me", Families: both}
	but := func(req ipam.Request, name string) ipam.Request {
		req.Serves = func(pool string) bool { return pool != name }
		return req
	}
	near := func(req ipam.Request, name string) ipam.Request { req.Near = name; return req }
	e := claim{"x", "192.0.2.12", shared("k", ports("TCP 80")...)}
	for _, tt := range []struct {
		name  string
		given []claim
		req   ipam.Request
		want  string
	}{
		{name: "rank before name", req: any4, want: "192.0.2.12@e"},
		{name: "next rank, by name", given: []claim{e}, req: any4, want: "192.0.2.4@b"},
		{name: "next rank, near", given: []claim{e}, req: near(any4, "c"), want: "192.0.2.8@c"},
		{name: "near is full", given: []claim{e, {"y", "192.0.2.8", shared("")}}, req: near(any4, "c"), want: "192.0.2.4@b"},
		{name: "near is of a later rank", given: []claim{e}, req: near(any4, "a"), want: "192.0.2.4@b"},
		{name: "near is no candidate", given: []claim{e}, req: near(but(any4, "c"), "c"), want: "192.0.2.4@b"},
		{name: "near is not there", given: []claim{e}, req: near(any4, "z"), want: "192.0.2.4@b"},
		{name: "not that one", req: but(any4, "e"), want: "192.0.2.4@b"},
		{name: "a full one that can be shared", given: []claim{e}, req: sharing(any4, shared("k", ports("TCP 443")...)), want: "192.0.2.12@e"},
		{name: "a full one that cannot", given: []claim{e}, req: sharing(any4, shared("k", ports("TCP 80")...)), want: "192.0.2.4@b"},
		{name: "what a rank has is not taken from a later one", given: []claim{e}, req: any2, want: "192.0.2.4@b 2001:db8:d::@d"},
		{name: "each rank what it has", req: any2, want: "192.0.2.12@e 2001:db8:d::@d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := allocator(t, pools, tt.given).Allocate(tt.req, start)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, text(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A request asks only those pools that have something to give, however many
// there are, and all of them when nobody has.
func TestFullPoolsLaw(t *testing.T) {
	const n, open = 1000, 990
	var pools []ipam.Pool
	var given []claim
	for i := range n {
		addr := fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		pools = append(pools, pool(t, fmt.Sprintf("p%04d", i), addr+"/32"))
		if i < open {
			given = append(given, claim{fmt.Sprint("s", i), addr, shared("")})
		}
	}
	a := allocator(t, pools, given)
	asked := 0
	req := ipam.Request{Owner: "me", Families: both[:1], Serves: func(string) bool { asked++; return true }}
	if got, err := a.Allocate(req, start); err != nil || text(got) != "10.0.3.240@p0990" || asked > 2 {
		t.Errorf("%v, %v after a question to %d pools", text(got), err, asked)
	}
	for i := open + 1; i < n; i++ {
		req.Owner = fmt.Sprint("other", i)
		if _, err := a.Allocate(req, start); err != nil {
			t.Fatal(err)
		}
	}
	req.Owner = "late"
	if _, err := a.Allocate(req, start); err == nil {
		t.Fatal("an address though all pools are full")
	}
	if !a.Release("s500", start) {
		t.Fatal("nothing to release")
	}
	if got, err := a.Allocate(req, start); err != nil || text(got) != "10.0.2.0@p0500" {
		t.Errorf("got %v, %v, want the one that was released", text(got), err)
	}
}
