package ipam_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heraldlb/herald/internal/iprange"
	"github.com/heraldlb/herald/ipam"
)

// A claim is what an owner holds, addresses separated by spaces.
type claim struct {
	owner, addrs string
	sharing      ipam.Sharing
}

// allocator returns one with these pools and claims.
func allocator(t *testing.T, pools []ipam.Pool, given []claim) *ipam.Allocator {
	t.Helper()
	a := ipam.New()
	set(t, a, pools, start)
	for _, c := range given {
		if err := a.Claim(c.owner, addrs(t, c.addrs), c.sharing, start); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func set(t *testing.T, a *ipam.Allocator, pools []ipam.Pool, now time.Time) {
	t.Helper()
	if err := a.SetPools(pools, now); err != nil {
		t.Fatal(err)
	}
}

func pool(t *testing.T, name string, ranges ...string) ipam.Pool {
	t.Helper()
	p := ipam.Pool{Name: name}
	for _, s := range ranges {
		r, err := iprange.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

func avoiding(p ipam.Pool) ipam.Pool {
	p.AvoidBuggyIPs = true
	return p
}

// request asks for addresses of certain pools; of the only one, if it is one.
func request(pools []string, families ...ipam.Family) ipam.Request {
	req := ipam.Request{Owner: "me", Families: families}
	if len(pools) == 1 {
		req.Pool = pools[0]
		return req
	}
	req.Serves = func(name string) bool { return slices.Contains(pools, name) }
	return req
}

func sharing(req ipam.Request, s ipam.Sharing) ipam.Request {
	req.Sharing = s
	return req
}

func shared(key string, ports ...ipam.Port) ipam.Sharing {
	return ipam.Sharing{Key: key, Ports: ports}
}

func local(key, backends string, ports ...ipam.Port) ipam.Sharing {
	return ipam.Sharing{Key: key, Backends: backends, Ports: ports}
}

// ports reads "TCP 80".
func ports(list ...string) []ipam.Port {
	var ports []ipam.Port
	for _, s := range list {
		protocol, number, _ := strings.Cut(s, " ")
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			panic("ports: " + s)
		}
		ports = append(ports, ipam.Port{Protocol: protocol, Number: uint16(n)})
	}
	return ports
}

func addrs(t *testing.T, list string) []netip.Addr {
	t.Helper()
	var addrs []netip.Addr
	for s := range strings.FieldsSeq(list) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// text writes assignments as address@pool.
func text(held []ipam.Assignment) string {
	var words []string
	for _, h := range held {
		words = append(words, fmt.Sprintf("%v@%s", h.Address, h.Pool))
	}
	return strings.Join(words, " ")
}
