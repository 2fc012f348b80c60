package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// A message is what its encoding is decoded to.
func TestEncodeLaw(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		m := randomMessage(r)
		got, err := ledger.Decode(m.Encode())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(m, got, opts); diff != "" {
			t.Fatalf("seed %d: (-want +got):\n%s", seed, diff)
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	good := ledger.Message{From: "a", Claims: []desired.Claim{claim("10.0.0.1", "b", 1)}}.Encode()
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{name: "nothing", want: "gossip: names no sender"},
		{name: "version alone", in: []byte{1}, want: "gossip: names no sender"},
		{name: "a sender that is too long", in: append([]byte{1, 0xfe, 1}, bytes.Repeat([]byte("x"), 300)...), want: "gossip: names no sender"},
		{name: "a later version", in: []byte{9, 1, 'a', 0xff, 0xff}, want: `gossip of "a": version 9, want 1`},
		{name: "an earlier version", in: []byte{0, 1, 'a'}, want: `gossip of "a": version 0, want 1`},
		{name: "cut off", in: good[:len(good)-3], want: `gossip of "a": number out of range`},
		{name: "too long", in: append(bytes.Clone(good), 0), want: `gossip of "a": bytes after the end`},
		{name: "unknown flags", in: []byte{1, 1, 'a', 2, 0, 0, 0}, want: `gossip of "a": unknown flags`},
		{name: "a name that is none", in: []byte{1, 1, 'a', 0, 1, 1, 0xff, 0, 0}, want: `gossip of "a": not a name`},
		{name: "a name too many", in: []byte{1, 1, 'a', 0, 0, 1, 0, 10, 0, 0, 1, 1, 1, 0}, want: `gossip of "a": number out of range`},
		{name: "an epoch of zero", in: []byte{1, 1, 'a', 0, 0, 1, 0, 10, 0, 0, 1, 0, 0, 0}, want: `gossip of "a": claim of nothing`},
		{name: "links that are not known", in: []byte{1, 1, 'a', 0, 0, 0, 1, 0, 1, 0, 1, 1, 'e', 0, 1, 2, 3, 4, 5, 6, 0, 0}, want: `gossip of "a": links out of range`},
		{
			name: "a network with bits of a host", in: []byte{1, 1, 'a', 0, 0, 0, 1, 0, 1, 1, 1, 1, 'e', 0, 1, 2, 3, 4, 5, 6, 1, 7, 11, 0},
			want: `gossip of "a": network with bits of a host`,
		},
		{
			name: "a network that is too long", in: []byte{1, 1, 'a', 0, 0, 0, 1, 0, 1, 1, 1, 1, 'e', 0, 1, 2, 3, 4, 5, 6, 1, 33, 0, 0, 0, 0, 0, 0},
			want: `gossip of "a": network out of range`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ledger.Decode(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Decode = %v, want %q", err, tt.want)
			}
			e, ok := errors.AsType[*ledger.VersionError](err)
			if ok != strings.Contains(tt.name, "version") && tt.name != "version alone" {
				t.Errorf("it is a VersionError: %v, %v", ok, e)
			}
		})
	}
}

// A record tells what the others need, and always fits into a packet.
func TestNewRecord(t *testing.T) {
	prefix := netip.MustParsePrefix
	long := func(i int) string { return fmt.Sprintf("%0250d", i) }
	var wide, deep, bare []desired.Link
	for i := range 50 {
		l := desired.Link{Name: fmt.Sprintf("bond0.100000%03d", i), Prefixes: []netip.Prefix{prefix("10.0.0.1/24")}}
		wide = append(wide, l)
		bare = append(bare, desired.Link{Name: fmt.Sprintf("a%d", i), Up: true})
		for j := range 20 {
			l.Prefixes = append(l.Prefixes, netip.PrefixFrom(number(2*(256*j+i)+1), 120))
		}
		deep = append(deep, l)
	}
	var names []string
	for i := range 50 {
		names = append(names, long(i))
	}
	type want struct{ links, networks, silent int }
	tests := []struct {
		name   string
		links  []desired.Link
		silent []string
		want   want
	}{
		{name: "nothing known", want: want{links: -1}},
		{name: "no links", links: []desired.Link{}},
		{name: "what others need not know", silent: []string{"self", "b", "b", ""}, links: []desired.Link{
			{Name: "eth1", Prefixes: []netip.Prefix{prefix("10.0.0.1/24"), prefix("10.0.0.2/24"), prefix("fe80::1/64"), prefix("fd00::1/64"), prefix("10.0.0.3/32")}},
			{Name: "eth2"}, {Name: "eth3", Prefixes: []netip.Prefix{prefix("fe80::1/64")}},
			{Name: "eth0", Prefixes: []netip.Prefix{prefix("10.0.0.3/32")}},
		}, want: want{links: 2, networks: 2, silent: 1}},
		{name: "links that are up and have no address", links: []desired.Link{
			{Name: "eth0.100", Up: true}, {Name: "eth1", Up: true, Prefixes: []netip.Prefix{prefix("fe80::1/64")}},
		}, want: want{links: 2}},
		{name: "those with an address go first", links: append(slices.Clone(bare), wide[:30]...), want: want{links: 32, networks: 30}},
		{name: "and stay", links: append(slices.Clone(bare), deep[:3]...), want: want{links: 11, networks: 63}},
		{name: "many links", links: wide, want: want{links: 32, networks: 32}},
		{name: "too many networks", links: deep, want: want{links: 32}},
		{name: "too many silent", links: deep, silent: names, want: want{links: -1, silent: 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ledger.NewRecord("self", 1, tt.links, tt.silent)
			got := want{links: len(r.Links), silent: len(r.Silent)}
			if r.Links == nil {
				got.links = -1
			}
			for _, l := range r.Links {
				got.networks += len(l.Prefixes)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			m := ledger.Message{From: "self", Records: []ledger.Record{r}}
			b := m.Encode()
			if len(b) > ledger.MaxPacket {
				t.Errorf("%d bytes", len(b))
			}
			if back, err := ledger.Decode(b); err != nil || !cmp.Equal(m, back, opts) {
				t.Errorf("decoded: %v, %v", back, err)
			}
			if !r.Says(ledger.NewRecord("self", 2, tt.links, tt.silent)) || r.Says(ledger.NewRecord("self", 1, wide[:1], nil)) {
				t.Error("says the same as another, or not as itself")
			}
		})
	}
}

// Whatever is decoded is encoded to the same, within bounds.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(randomMessage(r).Encode())
	}
	f.Add([]byte{2, 1, 'a'})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ledger.Decode(in)
		if err != nil {
			return
		}
		if 7*len(m.Claims)+5*len(m.Records) > len(in) {
			t.Fatalf("%d claims and %d records of %d bytes", len(m.Claims), len(m.Records), len(in))
		}
		again, err := ledger.Decode(m.Encode())
		if err != nil {
			t.Fatalf("what was decoded is not decoded again: %v", err)
		}
		if diff := cmp.Diff(m, again, opts); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
		var l ledger.Ledger
		l.Merge(m.Claims, m.Records)
		if n := l.Merge(again.Claims, again.Records); !n.Empty() {
			t.Fatalf("news when heard again: %v", n)
		}
	})
}

// All that is known of 10,000 addresses is small and soon told.
func BenchmarkWhole(b *testing.B) {
	var l ledger.Ledger
	l.Merge(claims(10_000), nil)
	encoded := l.Whole("a", true).Encode()
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			l.Whole("a", true).Encode()
		}
		b.ReportMetric(float64(len(encoded)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := ledger.Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	m, err := ledger.Decode(encoded)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("merge into nothing", func(b *testing.B) {
		for b.Loop() {
			var l ledger.Ledger
			l.Merge(m.Claims, m.Records)
		}
	})
	b.Run("merge what is known", func(b *testing.B) {
		for b.Loop() {
			l.Merge(m.Claims, m.Records)
		}
	})
}
