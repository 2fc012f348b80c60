package iprange_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/internal/iprange"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     string // String of the Range
		size     string
		wantErr  string // part of the error
	}{
		{name: "IPv4 prefix", in: "192.0.2.0/24", want: "192.0.2.0/24", size: "256"},
		{name: "prefix of one address", in: "192.0.2.7/32", want: "192.0.2.7/32", size: "1"},
		{name: "all of IPv4", in: "0.0.0.0/0", want: "0.0.0.0/0", size: "4294967296"},
		{name: "IPv4 range", in: "192.0.2.10-192.0.2.20", want: "192.0.2.10-192.0.2.20", size: "11"},
		{name: "range that is a prefix", in: "192.0.2.0-192.0.2.127", want: "192.0.2.0/25", size: "128"},
		{name: "range of one address", in: "192.0.2.9-192.0.2.9", want: "192.0.2.9/32", size: "1"},
		{name: "spaces", in: " 192.0.2.1 - 192.0.2.2 ", want: "192.0.2.1-192.0.2.2", size: "2"},
		{name: "IPv6 /64", in: "2001:db8::/64", want: "2001:db8::/64", size: "18446744073709551616"},
		{name: "IPv6 /48", in: "2001:db8::/48", want: "2001:db8::/48", size: "1208925819614629174706176"},
		{name: "all of IPv6 counts one too few", in: "::/0", want: "::/0", size: "340282366920938463463374607431768211455"},
		{name: "IPv6 range over 64 bits", in: "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", want: "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", size: "2"},

		{name: "empty", in: "", wantErr: "neither a prefix"},
		{name: "word", in: "pool", wantErr: "neither a prefix"},
		{name: "single address", in: "192.0.2.1", wantErr: "a single address"},
		{name: "host bits", in: "192.0.2.1/24", wantErr: "host bits are set; the prefix is 192.0.2.0/24"},
		{name: "end before start", in: "192.0.2.9-192.0.2.1", wantErr: `range "192.0.2.9-192.0.2.1": end before start`},
		{name: "two families", in: "192.0.2.9-2001:db8::1", wantErr: "different families"},
		{name: "zone", in: "fe80::1%eth0-fe80::2", wantErr: "start: an address with a zone"},
		{name: "zone in a prefix", in: "fe80::%eth0/64", wantErr: "zone"},
		{name: "mapped prefix", in: "::ffff:192.0.2.0/120", wantErr: "IPv4-mapped"},
		{name: "mapped end", in: "::1-::ffff:192.0.2.0", wantErr: "end: IPv4-mapped"},
		{name: "no end", in: "192.0.2.9-", wantErr: `end: not an address: ""`},
		{name: "three parts", in: "192.0.2.1-192.0.2.2-192.0.2.3", wantErr: "end: not an address"},
		{name: "prefix too long", in: "192.0.2.0/33", wantErr: `not a prefix length: "33"`},
		{name: "prefix of nothing", in: "/24", wantErr: `not an address: ""`},
		{name: "leading zero", in: "192.0.02.0/24", wantErr: "not an address"},
		{name: "mask instead of a length", in: "192.0.2.0/255.255.255.0", wantErr: "not a prefix length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := iprange.Parse(tt.in)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				if r.IsValid() {
					t.Errorf("range %v beside an error", r)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.String() != tt.want || r.Size().String() != tt.size {
				t.Errorf("got %v of size %v, want %v of size %v", r, r.Size(), tt.want, tt.size)
			}
		})
	}
}

// What Parse accepts is not empty, and its String says the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"10.0.0.0/8", "10.0.0.1-10.0.0.9", "2001:db8::/64", "::/0", "a-b", "-", "/", "1.2.3.4", "::1%z/128", "::ffff:1.2.3.4/128",
		"10.0.0.0/08", "10.0.0.0 /8", "::-::",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := iprange.Parse(s)
		if err != nil {
			if r != (iprange.Range{}) {
				t.Fatalf("%q: range %v beside an error", s, r)
			}
			return
		}
		if !r.IsValid() || r.Last().Less(r.First()) || r.Size().IsZero() || !r.Contains(r.Last()) {
			t.Fatalf("%q: bad range %v", s, r)
		}
		if again, err := iprange.Parse(r.String()); err != nil || again != r {
			t.Fatalf("%q: %v reads back as %v, %v", s, r, again, err)
		}
	})
}

func TestFromPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.77/24":        "192.0.2.0/24",
		"2001:db8::1/64":       "2001:db8::/64",
		"2001:db8::1/128":      "2001:db8::1/128",
		"::ffff:192.0.2.0/120": "invalid range",
	} {
		if got := iprange.FromPrefix(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if r := iprange.FromPrefix(netip.Prefix{}); r.IsValid() {
		t.Errorf("no prefix: got %v", r)
	}
}

func TestNew(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.5")
	r, err := iprange.New(a, b)
	if err != nil || r.First() != a || r.Last() != b || !r.Is4() {
		t.Errorf("got %v, %v", r, err)
	}
	if _, err := iprange.New(b, a); err == nil || err.Error() != "range 192.0.2.5-192.0.2.1: end before start" {
		t.Errorf("error %v", err)
	}
	for _, bad := range []netip.Addr{{}, netip.MustParseAddr("fe80::1%a"), netip.MustParseAddr("::ffff:192.0.2.3")} {
		if _, err := iprange.New(bad, bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestContainsOverlaps(t *testing.T) {
	r, all6 := parse(t, "192.0.2.10-192.0.2.20"), parse(t, "::/0")
	for addr, want := range map[string]bool{
		"192.0.2.9": false, "192.0.2.10": true, "192.0.2.20": true, "192.0.2.21": false, "::1": false, "::ffff:192.0.2.10": false,
	} {
		if got := r.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%v contains %s: %v", r, addr, got)
		}
	}
	if all6.Contains(netip.MustParseAddr("fe80::1%eth0")) || (iprange.Range{}).Contains(netip.Addr{}) {
		t.Error("a zone or nothing is contained")
	}
	for other, want := range map[string]bool{
		"192.0.2.1-192.0.2.9": false, "192.0.2.1-192.0.2.10": true, "192.0.2.12/32": true,
		"192.0.2.20-192.0.3.0": true, "192.0.2.21/32": false, "::/0": false, "0.0.0.0/0": true,
	} {
		o := parse(t, other)
		if r.Overlaps(o) != want || o.Overlaps(r) != want {
			t.Errorf("%v and %v overlap: %v and %v, want %v", r, o, r.Overlaps(o), o.Overlaps(r), want)
		}
	}
	if r.Overlaps(iprange.Range{}) || (iprange.Range{}).Overlaps(r) || (iprange.Range{}).Overlaps(iprange.Range{}) {
		t.Error("nothing overlaps something")
	}
}

func TestSubtract(t *testing.T) {
	tests := []struct {
		name            string
		from, cut, want []string
	}{
		{name: "nothing"},
		{name: "no cut merges", from: []string{"192.0.2.4-192.0.2.9", "192.0.2.0-192.0.2.3"}, want: []string{"192.0.2.0-192.0.2.9"}},
		{name: "middle", from: []string{"192.0.2.0/24"}, cut: []string{"192.0.2.5-192.0.2.6"}, want: []string{"192.0.2.0-192.0.2.4", "192.0.2.7-192.0.2.255"}},
		{name: "start and end", from: []string{"192.0.2.0/24"}, cut: []string{"192.0.2.255/32", "192.0.2.0/32"}, want: []string{"192.0.2.1-192.0.2.254"}},
		{name: "all", from: []string{"192.0.2.0/24"}, cut: []string{"0.0.0.0/0"}},
		{name: "one cut through two", from: []string{"192.0.2.0/24", "198.51.100.0/24"}, cut: []string{"192.0.2.10-198.51.100.9"}, want: []string{"192.0.2.0-192.0.2.9", "198.51.100.10-198.51.100.255"}},
		{name: "other family", from: []string{"2001:db8::/64", "192.0.2.0/24"}, cut: []string{"198.51.100.0/24", "::1/128"}, want: []string{"192.0.2.0/24", "2001:db8::/64"}},
		{name: "end of the families", from: []string{"255.255.255.255/32", "::/0"}, cut: []string{"::/1"}, want: []string{"255.255.255.255/32", "8000::/1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := iprange.Subtract(parseAll(t, tt.from), parseAll(t, tt.cut))
			if diff := cmp.Diff(parseAll(t, tt.want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func parse(t *testing.T, s string) iprange.Range {
	t.Helper()
	r, err := iprange.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parseAll(t *testing.T, in []string) []iprange.Range {
	t.Helper()
	var all []iprange.Range
	for _, s := range in {
		all = append(all, parse(t, s))
	}
	return all
}
