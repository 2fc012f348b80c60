package gobgp

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func prefixesOf(all ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range all {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

func TestParseOpen(t *testing.T) {
	head := []byte{4, 0xfc, 1, 0, 90, 192, 0, 2, 200} // version 4, AS 64513, 90 s
	id := netip.MustParseAddr("192.0.2.200")
	tests := []struct {
		name string
		body []byte
		want open
		code []byte // of the fault
	}{
		{name: "no capability", body: append(head[:9:9], 0), want: open{asn: 64513, hold: 90, id: id, ipv4: true}},
		{name: "usual", body: theirs().marshal()[headerLength:], want: theirs()},
		{
			name: "options longer than 255 (RFC 9072)",
			body: append(head[:9:9], 255, 255, 0, 9, 2, 0, 6, 65, 4, 0, 1, 0, 0),
			want: open{asn: 65536, hold: 90, id: id, asn4: true, ipv4: true},
		},
		{
			name: "malformed capability counts for nothing",
			body: append(head[:9:9], 5, 2, 3, 65, 1, 0),
			want: open{asn: 64513, hold: 90, id: id, ipv4: true},
		},
		{
			name: "extended next hop (RFC 8950)",
			body: append(head[:9:9], 16, 2, 14, 5, 12, 0, 1, 0, 128, 0, 2, 0, 1, 0, 1, 0, 2),
			want: open{asn: 64513, hold: 90, id: id, ipv4: true, extendedNextHop: true},
		},
		{
			name: "extended next hop of another family",
			body: append(head[:9:9], 10, 2, 8, 5, 6, 0, 1, 0, 128, 0, 2),
			want: open{asn: 64513, hold: 90, id: id, ipv4: true},
		},
		{name: "empty", code: []byte{1, 2}},
		{name: "version 3", body: append([]byte{3}, append(head[1:9:9], 0)...), code: []byte{2, 1}},
		{name: "ASN 0", body: []byte{4, 0, 0, 0, 90, 192, 0, 2, 200, 0}, code: []byte{2, 2}},
		{name: "hold time 2 s", body: []byte{4, 0, 1, 0, 2, 192, 0, 2, 200, 0}, code: []byte{2, 6}},
		{name: "router id 0.0.0.0", body: []byte{4, 0, 1, 0, 90, 0, 0, 0, 0, 0}, code: []byte{2, 3}},
		{name: "options end early", body: append(head[:9:9], 4, 2, 6), code: []byte{2, 0}},
		{name: "capability ends early", body: append(head[:9:9], 4, 2, 2, 65, 4), code: []byte{2, 0}},
		{name: "unknown option", body: append(head[:9:9], 2, 1, 0), code: []byte{2, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseOpen(tt.body)
			if f, ok := errors.AsType[*fault](err); ok != (tt.code != nil) || ok && !bytes.Equal(tt.code, []byte{f.code, f.subcode}) {
				t.Fatalf("error %+v, want code %v", err, tt.code)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(open{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParseOpen: what is understood of an OPEN is the same when it is written
// anew, which is what the library reads.
func FuzzParseOpen(f *testing.F) {
	f.Add(theirs().marshal()[headerLength:])
	f.Add([]byte{4, 0xfc, 1, 0, 90, 192, 0, 2, 200, 255, 255, 0, 9, 2, 0, 6, 65, 4, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOpen(b)
		if err != nil {
			if _, ok := errors.AsType[*fault](err); !ok {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		o.extendedNextHop = false // which the library is not told
		if o.multiprotocol && !o.ipv4 && !o.ipv6 {
			return // is refused
		}
		again, err := parseOpen(o.marshal()[headerLength:])
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if o != again {
			t.Errorf("got %+v, want %+v", again, o)
		}
	})
}

// TestOffer: the OPEN that the router gets says what the session is about.
func TestOffer(t *testing.T) {
	caps := []capability{
		{capExtendedNextHop, []byte{0, 1, 0, 1, 0, 2}},
		{capRestart, []byte{0, 120, 0, 1, 1, 0, 0, 2, 1, 0}},
	}
	body := appendCapabilities([]byte{4, 0xfc, 0, 0, 90, 192, 0, 2, 1}, caps)
	tests := []struct {
		name string
		offer
		hold byte
		want []capability
	}{
		{name: "plain", hold: 90},
		{name: "no hold time", offer: offer{noHold: true}},
		{name: "extended next hop", offer: offer{extendedNextHop: true}, hold: 90, want: caps[:1]},
		{
			name: "restarted", offer: offer{restart: true, restarted: true}, hold: 90,
			want: []capability{{capRestart, []byte{0x80, 120, 0, 1, 1, 0x80, 0, 2, 1, 0x80}}},
		},
		{
			name: "not restarted", offer: offer{restart: true}, hold: 90,
			want: []capability{{capRestart, []byte{0, 120, 0, 1, 1, 0x80, 0, 2, 1, 0x80}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.apply(body)
			must(t, err)
			got, err := capabilities(m[headerLength+9:])
			must(t, err)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(capability{})); diff != "" {
				t.Error(diff)
			}
			if hold := m[headerLength+4]; hold != tt.hold {
				t.Errorf("hold time %d, want %d", hold, tt.hold)
			}
		})
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		body []byte
		want string
	}{
		{[]byte{2, 2}, "code 2 (OPEN message error) subcode 2 (bad peer AS)"},
		{[]byte{4, 0}, "code 4 (hold timer expired)"},
		{[]byte{6, 99}, "code 6 (cease) subcode 99 (unknown)"},
		{[]byte{77, 1}, "code 77 (unknown) subcode 1 (unknown)"},
		{append([]byte{6, 4, 3}, "bye"...), `code 6 (cease) subcode 4 (administrative reset): "bye"`},
		{[]byte{6, 2, 200, 'x'}, "code 6 (cease) subcode 2 (administrative shutdown)"},
		{[]byte{6, 2, 4, 'a', '\n', 0xff, 'b'}, `code 6 (cease) subcode 2 (administrative shutdown): "ab"`},
	}
	for _, tt := range tests {
		if got := words(tt.body); got != tt.want {
			t.Errorf("words(%v) = %q, want %q", tt.body, got, tt.want)
		}
	}
}
