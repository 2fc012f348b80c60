package router

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// read returns a file of testdata.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares got with a file of testdata, or writes it there.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, name)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// asJSON returns v as indented JSON.
func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// What both routers said of the same two speakers, one of which was killed a
// second before and had asked for graceful restart.
func TestParseFRR(t *testing.T) {
	v, err := parseFRR(read(t, "frr.txt"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "frr.json", asJSON(t, v))
}

func TestParseBIRD(t *testing.T) {
	now := time.Date(2026, 11, 20, 13, 43, 42, 0, time.UTC)
	v := parseBIRD(read(t, "bird-protocols.txt"), read(t, "bird-bfd.txt"), read(t, "bird-routes.txt"), now)
	golden(t, "bird.json", asJSON(t, v))
}

// FRR has words for what is a number, or nothing, elsewhere.
func TestFRRWords(t *testing.T) {
	var p frrPath
	const said = `{"aspath":{"string":"Local"},"peer":{"peerId":"10.0.0.1"},
		"community":{"list":["64512:100","noExport","gracefulShutdown"]},"largeCommunity":{"list":["64512:1:2"]}}`
	if err := json.Unmarshal([]byte(said), &p); err != nil {
		t.Fatal(err)
	}
	want := Path{
		Peer: "10.0.0.1", NextHops: []string{},
		Communities: []string{"64512:100", "65535:65281", "65535:0"}, LargeCommunities: []string{"64512:1:2"},
	}
	if diff := cmp.Diff(want, p.path()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseFRRErrors(t *testing.T) {
	for _, tt := range []struct{ name, out string }{
		{name: "nothing"},
		{name: "a complaint", out: "% BGP instance not found\n"},
		{name: "a document missing", out: "{}\n[]\n{}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseFRR([]byte(tt.out)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestParseBIRDWithoutPeers(t *testing.T) {
	want := &View{Sessions: []Session{}, Routes: []Route{}, Forwarding: []Forward{}}
	for _, out := range []string{"", "BIRD 2.0.12 ready.\n", "Unable to connect to server control socket\n"} {
		got := parseBIRD([]byte(out), []byte(out), []byte(out), time.Time{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("view of %q (-want +got):\n%s", out, diff)
		}
	}
}

func TestParseForwarding(t *testing.T) {
	tests := []struct {
		name, out string
		want      []Forward
	}{
		{name: "nothing"},
		{name: "empty list", out: "[]"},
		{
			name: "several next hops", out: string(read(t, "kernel.json")),
			want: []Forward{{Prefix: "fd50::1/128", NextHops: []string{"fe80::7062:64ff:fef5:ca16", "fe80::c069:d5ff:fef6:baec"}}},
		},
		{
			name: "one next hop, of each kind",
			out: `[{"dst":"10.0.0.0/24","gateway":"172.30.1.11","dev":"eth0"},` +
				`{"dst":"10.0.0.1","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0"},{"dst":"default","dev":"eth0"}]`,
			want: []Forward{
				{Prefix: "10.0.0.0/24", NextHops: []string{"172.30.1.11"}},
				{Prefix: "10.0.0.1/32", NextHops: []string{"fe80::1"}},
				{Prefix: "default", NextHops: []string{"eth0"}},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseForwarding([]byte(tt.out))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("forwarding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRender(t *testing.T) {
	v := Values{
		Name: "r1", ASN: DefaultASN, RouterID: netip.MustParseAddr("172.30.1.5"),
		Addrs:   []netip.Addr{netip.MustParseAddr("172.30.1.5"), netip.MustParseAddr("fd30:1::5")},
		Segment: []netip.Prefix{netip.MustParsePrefix("172.30.1.0/24"), netip.MustParsePrefix("fd30:1::/64")},
	}
	one := v
	one.PeerASN = 64512
	tests := []struct {
		name, kind, override, golden string
		values                       Values
	}{
		{name: "frr", kind: frr, values: v, golden: "frr.conf"},
		{name: "bird", kind: bird, values: v, golden: "bird.conf"},
		{name: "frr, one peer AS", kind: frr, values: one, golden: "frr-peer-asn.conf"},
		{name: "bird, one peer AS", kind: bird, values: one, golden: "bird-peer-asn.conf"},
		{name: "override", kind: frr, override: "testdata/override.tmpl", values: v, golden: "override.conf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Render(tt.kind, tt.override, tt.values)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tt.golden, got)
		})
	}
}

func TestRenderErrors(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.tmpl")
	if err := os.WriteFile(bad, []byte("{{.Nothing}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, override, want string }{
		{name: "no file", override: bad + "x", want: "no such file"},
		{name: "unknown field", override: bad, want: "Nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Render(frr, tt.override, Values{Name: "r1"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestRouterID(t *testing.T) {
	for addr, want := range map[string]string{"172.30.1.5": "172.30.1.5", "fd30:1::5": "10.0.0.5"} {
		if got := routerID(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("router id of %s = %s, want %s", addr, got, want)
		}
	}
}

// Law: addresses come in their order, shorter names of the same value first,
// and what is no address comes last.
func TestCompare(t *testing.T) {
	order := []string{"10.0.0.2", "10.0.0.2/32", "10.0.0.10", "172.30.1.9", "fd30::2/128", "fd30::10", "default", "eth0"}
	for i := range order {
		for j := range order {
			got, want := compare(order[i], order[j]), 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got != want {
				t.Errorf("compare(%s, %s) = %d, want %d", order[i], order[j], got, want)
			}
		}
	}
}

// Law: whatever BIRD says, reading it does not panic, and every path is some
// session's.
func FuzzParseBIRD(f *testing.F) {
	seed := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(seed("bird-protocols.txt"), seed("bird-bfd.txt"), seed("bird-routes.txt"))
	f.Add([]byte("x BGP - up 1 2\n  Neighbor address: a"), []byte("1.1.1.1 x y"), []byte("p u [x y]\n\tBGP.med: z"))
	f.Fuzz(func(t *testing.T, protocols, bfd, routes []byte) {
		v := parseBIRD(protocols, bfd, routes, time.Unix(0, 0))
		peers := map[string]bool{}
		for _, s := range v.Sessions {
			peers[s.Peer] = true
		}
		for _, r := range v.Routes {
			for _, p := range r.Paths {
				if !peers[p.Peer] {
					t.Errorf("path to %q from %q, which has no session", r.Prefix, p.Peer)
				}
			}
		}
	})
}

// Law: whatever FRR says, reading it does not panic.
func FuzzParseFRR(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "frr.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"x":{"bgpState":"Idle"}}[{}]{"routes":{"p":[{},{"peer":{}}]}}{}`))
	f.Fuzz(func(_ *testing.T, out []byte) { _, _ = parseFRR(out) })
}
