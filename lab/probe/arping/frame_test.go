package arping

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The frames below were captured from a Linux host's answers, with tcpdump's
// word that the checksums of the questions are right.
const (
	askV4 = "ffffffffffff 020be61c09d0 0806 0001 0800 06 04 0001 020be61c09d0 ac1e0109 000000000000 ac1e010b"
	ansV4 = "020be61c09d0 e2e058c13dbb 0806 0001 0800 06 04 0002 e2e058c13dbb ac1e010b 020be61c09d0 ac1e0109"
	// Gratuitous ARP as a request and as a reply to everybody.
	garpRequest = "ffffffffffff e2e058c13dbb 0806 0001 0800 06 04 0001 e2e058c13dbb ac1e010b 000000000000 ac1e010b"
	garpReply   = "ffffffffffff e2e058c13dbb 0806 0001 0800 06 04 0002 e2e058c13dbb ac1e010b ffffffffffff ac1e010b"

	askV6 = "3333ff000011 020bdae2a561 86dd 60000000 0020 3a ff fe80000000000000000bdafffee2a561" +
		"ff0200000000000000000001ff000011 87007c2b00000000 fd300001000000000000000000000011 0101020bdae2a561"
	ansV6 = "020bdae2a561 e2e058c13dbb 86dd 60000000 0020 3a ff fd300001000000000000000000000011" +
		"fe80000000000000000bdafffee2a561 8800a3efe0000000 fd300001000000000000000000000011 0201e2e058c13dbb"
	probeV6 = "e2e058c13dbb 020be0a939f7 86dd 60000000 0020 3a ff fe80000000000000000be0fffea939f7" +
		"fd300001000000000000000000000011 8700484500000000 fd300001000000000000000000000011 0101020be0a939f7"
	// The answer to probeV6, which needs no link-layer address option.
	shortV6 = "020be0a939f7 e2e058c13dbb 86dd 60000000 0018 3a ff fd300001000000000000000000000011" +
		"fe80000000000000000be0fffea939f7 8800a4f9c0000000 fd300001000000000000000000000011"
)

var (
	node1  = mac("e2:e0:58:c1:3d:bb")
	me4    = mac("02:0b:e6:1c:09:d0")
	me6    = mac("02:0b:da:e2:a5:61")
	meToo6 = mac("02:0b:e0:a9:39:f7")
	vip4   = netip.MustParseAddr("172.30.1.11")
	vip6   = netip.MustParseAddr("fd30:1::11")
)

// mac reads a link-layer address.
func mac(s string) net.HardwareAddr {
	m, err := net.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}

// frame reads hexadecimal digits.
func frame(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQuestion(t *testing.T) {
	tests := []struct {
		name   string
		me     net.HardwareAddr
		target netip.Addr
		to     net.HardwareAddr
		want   string
	}{
		{name: "ipv4 to everybody", me: me4, target: vip4, want: askV4},
		{name: "ipv4 to one", me: me4, target: vip4, to: node1, want: strings.Replace(askV4, "ffffffffffff", "e2e058c13dbb", 1)},
		{name: "ipv6 to everybody", me: me6, target: vip6, want: askV6},
		{name: "ipv6 to one", me: meToo6, target: vip6, to: node1, want: probeV6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			segments := []netip.Prefix{netip.MustParsePrefix("fd30:1::2/64"), netip.MustParsePrefix("172.30.1.2/24")}
			id, err := NewIdentity(tt.target, segments, [4]byte(tt.me[2:]))
			if err != nil {
				t.Fatal(err)
			}
			got := Question(id, tt.target, tt.to)
			if diff := cmp.Diff(hex.EncodeToString(frame(t, tt.want)), hex.EncodeToString(got)); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

// Law: an announcement is read as a claim of the station that made it.
func TestAnnouncement(t *testing.T) {
	for _, target := range []netip.Addr{vip4, vip6} {
		got, ok := Parse(announcement(node1, target), target, me4)
		want := Claim{Kind: Unsolicited, MAC: node1, Source: node1}
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: claim %t (-want +got):\n%s", target, ok, diff)
		}
	}
	if diff := cmp.Diff(frame(t, garpRequest), announcement(node1, vip4)); diff != "" {
		t.Errorf("gratuitous ARP (-want +got):\n%s", diff)
	}
}

func TestNewIdentityWithoutIPv4(t *testing.T) {
	_, err := NewIdentity(vip4, []netip.Prefix{netip.MustParsePrefix("fd30:1::2/64")}, [4]byte{})
	if err == nil {
		t.Error("no error for an interface without IPv4")
	}
}

func TestParse(t *testing.T) {
	answer := &Claim{Kind: Solicited, MAC: node1, Source: node1}
	announcement := &Claim{Kind: Unsolicited, MAC: node1, Source: node1}
	other := netip.MustParseAddr("172.30.1.99")
	tests := []struct {
		name   string
		frame  string
		target netip.Addr
		me     net.HardwareAddr
		want   *Claim
	}{
		{name: "ipv4 answer", frame: ansV4, target: vip4, me: me4, want: answer},
		{name: "ipv4 answer, padded", frame: ansV4 + strings.Repeat("00", 18), target: vip4, me: me4, want: answer},
		{name: "ipv4 answer to somebody else", frame: ansV4, target: vip4, me: me6},
		{name: "ipv4 answer for another address", frame: ansV4, target: other, me: me4},
		{name: "ipv4 question of somebody", frame: askV4, target: vip4, me: me4},
		{name: "gratuitous request", frame: garpRequest, target: vip4, me: me4, want: announcement},
		{name: "gratuitous reply", frame: garpReply, target: vip4, me: me4, want: announcement},
		{name: "ipv4 answer under another source", frame: strings.Replace(ansV4, "e2e058c13dbb 0806", "5ab537d14416 0806", 1), target: vip4, me: me4,
			want: &Claim{Kind: Solicited, MAC: node1, Source: mac("5a:b5:37:d1:44:16")}},
		{name: "ipv4 cut short", frame: ansV4[:60], target: vip4, me: me4},
		{name: "ipv4 operation unknown", frame: strings.Replace(ansV4, "0002", "0003", 1), target: vip4, me: me4},
		{name: "ipv6 answer", frame: ansV6, target: vip6, me: me6, want: answer},
		{name: "ipv6 answer without option", frame: shortV6, target: vip6, me: meToo6, want: answer},
		{name: "ipv6 answer to somebody else", frame: ansV6, target: vip6, me: meToo6},
		{name: "ipv6 question", frame: askV6, target: vip6, me: me6},
		{name: "ipv6 hop limit", frame: strings.Replace(ansV6, "3a ff", "3a fe", 1), target: vip6, me: me6},
		{name: "ipv6 checksum", frame: strings.Replace(ansV6, "a3ef", "a3ee", 1), target: vip6, me: me6},
		{name: "ipv6 cut short", frame: ansV6[:120], target: vip6, me: me6},
		{name: "empty", target: vip4, me: me4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, ok := Parse(frame(t, tt.frame), tt.target, tt.me)
			var got *Claim
			if ok {
				got = &c
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("claim (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUnsolicitedAdvertisement(t *testing.T) {
	all := netip.MustParseAddr("ff02::1")
	f := frame(t, ansV6)
	copy(f, multicastMAC(all))
	copy(f[etherHeader+24:], all.AsSlice())
	icmp := f[etherHeader+ipv6Header:]
	for _, tt := range []struct {
		name  string
		flags byte
		ok    bool
	}{
		{name: "not solicited", flags: 0xa0, ok: true},
		{name: "solicited, which RFC 4861 7.1.2 forbids", flags: 0xe0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			icmp[4], icmp[2], icmp[3] = tt.flags, 0, 0
			sum := checksum(vip6, all, icmp)
			icmp[2], icmp[3] = byte(sum>>8), byte(sum)
			c, ok := Parse(f, vip6, me6)
			if ok != tt.ok || (ok && c.Kind != Unsolicited) {
				t.Errorf("claim = %+v, %v, want ok %v", c, ok, tt.ok)
			}
		})
	}
}

// Law: Parse never panics, and does not keep the frame.
func FuzzParse(f *testing.F) {
	for _, s := range []string{askV4, ansV4, garpReply, askV6, ansV6, shortV6} {
		f.Add(frame(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, target := range []netip.Addr{vip4, vip6} {
			kept := bytes.Clone(b)
			c, ok := Parse(kept, target, me4)
			before := bytes.Clone(c.MAC)
			clear(kept)
			if ok && !bytes.Equal(before, c.MAC) {
				t.Error("claim changed with the frame")
			}
		}
	})
}
