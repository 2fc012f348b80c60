package layer2

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/arp"
	"golang.org/x/net/bpf"
)

var (
	selfMAC  = mac{2, 0, 0, 0, 0, 1}
	otherOwn = mac{2, 0, 0, 0, 0, 2}
)

// holdingOf answers for addresses at selfMAC, on a host that has otherOwn too.
func holdingOf(t testing.TB, addrs ...string) *holding {
	t.Helper()
	h := &holding{self: selfMAC, own: map[mac]bool{selfMAC: true, otherOwn: true}, addrs: stances{}}
	for _, a := range addrs {
		h.addrs[ip(t, a)] = announced
	}
	return h
}

// edited returns a copy of a frame with one byte replaced.
func edited(f []byte, at int, b byte) []byte {
	out := append([]byte(nil), f...)
	out[at] = b
	return out
}

func TestARPAnswer(t *testing.T) {
	const vip, wanted, client = "192.0.2.1", "192.0.2.7", "192.0.2.99"
	request := ask(t, broadcast, client, vip)
	tests := []struct {
		name  string
		frame []byte
		want  outcome
	}{
		{"broadcast request", request, answered},
		{"unicast request", ask(t, selfMAC, client, vip), answered},
		{"probe", ask(t, broadcast, "0.0.0.0", vip), answered},
		{"another address", ask(t, broadcast, client, "192.0.2.2"), notOurs},
		{"to another station", ask(t, mac{2, 9}, client, vip), notOurs},
		{"claim", claimBy(t, stranger, vip), claimed},
		{"question from our address", ask(t, broadcast, vip, client), claimed},
		{"our announcement, come back", claimBy(t, selfMAC, vip), notRequest},
		{"announcement of another interface of ours", claimBy(t, otherOwn, vip), notRequest},
		{"question for one that is probed for", ask(t, broadcast, client, wanted), withheld},
		{"answer about one that is probed for", edited(claimBy(t, stranger, wanted), arpOperation+1, 2), claimed},
		{"probe for one that is probed for", probeBy(t, stranger, wanted), claimed},
		{"our probe, come back", probeBy(t, otherOwn, wanted), withheld},
		{"reply to somebody", edited(request, arpOperation+1, 2), notRequest},
		{"unknown operation", edited(request, arpOperation, 7), notRequest},
		{"empty", nil, malformed},
		{"cut short", request[:arpEnd-1], malformed},
		{"not Ethernet", edited(request, 15, 6), malformed},
		{"not IPv4", edited(request, 16, 0x86), malformed},
		{"hardware addresses of 8 bytes", edited(request, 18, 8), malformed},
		{"protocol addresses of 16 bytes", edited(request, 19, 16), malformed},
		{"sender is a group", edited(request, arpSenderMAC, 0xff), malformed},
		{"frame from a group", edited(request, 6, 1), malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := holdingOf(t, vip)
			h.addrs[ip(t, wanted)] = probed
			v := arpWire{}.answer(tt.frame, h)
			if v.outcome != tt.want {
				t.Fatalf("outcome %s, want %s", v.outcome, tt.want)
			}
			if (v.outcome == answered) != replies(selfMAC, vip)(v.reply.data) {
				t.Errorf("reply %x", v.reply.data)
			}
			if v.outcome == claimed && (h.addrs[v.addr] == 0 || v.by != stranger) {
				t.Errorf("claim of %s by %s", v.addr, v.by)
			}
		})
	}
}

func TestARPReplyBytes(t *testing.T) {
	v := arpWire{}.answer(ask(t, broadcast, "192.0.2.99", "192.0.2.1"), holdingOf(t, "192.0.2.1"))
	want := []byte{
		2, 0xee, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 2,
		2, 0, 0, 0, 0, 1, 192, 0, 2, 1,
		2, 0xee, 0, 0, 0, 1, 192, 0, 2, 99,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // Ethernet's minimum
	}
	if diff := cmp.Diff(outFrame{to: stranger, data: want}, v.reply, cmp.AllowUnexported(outFrame{})); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

func TestNDPAnswer(t *testing.T) {
	const vip, wanted, client, group = "2001:db8::1", "2001:db8::7", "fe80::99", "ff02::1:ff00:1"
	ns := solicit(t, mac{0x33, 0x33, 0xff, 0, 0, 1}, client, group, vip)
	tests := []struct {
		name  string
		frame []byte
		want  outcome
	}{
		{"question to the group", ns, answered},
		{"reachability probe", solicit(t, selfMAC, client, vip, vip), answered},
		{"duplicate address probe", solicit(t, mac{0x33, 0x33, 0xff, 0, 0, 1}, "::", group, vip), answered},
		{"duplicate address probe that is not to the group", solicit(t, selfMAC, "::", vip, vip), malformed},
		{"another address", solicit(t, selfMAC, client, group, "2001:db8::2"), notOurs},
		{"question from a group", solicit(t, selfMAC, "ff02::99", group, vip), malformed},
		{"question from our address", solicit(t, selfMAC, vip, group, "2001:db8::2"), claimed},
		{"question for one that is probed for", solicit(t, selfMAC, client, group, wanted), withheld},
		{"advertisement of one that is probed for", claimBy(t, stranger, wanted), claimed},
		{"probe for one that is probed for", probeBy(t, stranger, wanted), claimed},
		{"our probe, come back", probeBy(t, otherOwn, wanted), withheld},
		{"claim", claimBy(t, stranger, vip), claimed},
		{"our advertisement, come back", claimBy(t, otherOwn, vip), notRequest},
		{"routed", edited(ns, ipHopLimit, 254), malformed},
		{"wrong checksum", edited(ns, len(ns)-1, 99), malformed},
		{"another code", edited(ns, icmpCode, 1), malformed},
		{"not ICMPv6", edited(ns, ipNext, 17), malformed},
		{"cut short", ns[:icmpEnd-1], malformed},
		{"longer than the frame", edited(ns, ipLength, 1), malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := holdingOf(t, vip)
			h.addrs[ip(t, wanted)] = probed
			v := ndpWire{}.answer(tt.frame, h)
			if v.outcome != tt.want {
				t.Fatalf("outcome %s, want %s", v.outcome, tt.want)
			}
			if v.outcome != answered {
				return
			}
			if f, ok := parseNDP(v.reply.data); !ok || !f.advert || f.target != ip(t, vip) || f.link != selfMAC {
				t.Errorf("reply %x", v.reply.data)
			}
		})
	}
}

// Law: a filter passes every frame that is answered for or claims an address,
// whatever the limit; with room enough it passes no other address.
func TestFilterLaw(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 15, 16, 17, 100, 3000} {
		for _, limit := range []int{1, 3, 20, maxSpans} {
			addrs, in := make([]netip.Addr, 0, n), map[netip.Addr]bool{}
			for range n {
				a := netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(64)), byte(rnd.IntN(256))})
				if rnd.IntN(50) == 0 {
					a = netip.AddrFrom4([4]byte{255, 255, 255, byte(254 + rnd.IntN(2))})
				}
				addrs, in[a] = append(addrs, a), true
			}
			vm := vmOf(t, arpProgram(keysOf(arpWire{}, addrs...), limit))
			exact := len(cover(keysOf(arpWire{}, addrs...), maxSpans*4)) <= limit
			for range 400 {
				a := netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(66)), byte(rnd.IntN(256))})
				if len(addrs) > 0 && rnd.IntN(3) == 0 {
					a = addrs[rnd.IntN(len(addrs))]
				}
				for _, f := range [][]byte{ask(t, broadcast, "198.51.100.1", a.String()), ask(t, broadcast, a.String(), "198.51.100.1")} {
					got, err := vm.Run(f)
					if err != nil {
						t.Fatal(err)
					}
					if in[a] && got == 0 {
						t.Fatalf("%d addresses, limit %d: %s dropped", n, limit, a)
					}
					if !in[a] && got != 0 && exact {
						t.Fatalf("%d addresses, limit %d: %s passed", n, limit, a)
					}
				}
			}
		}
	}
}

// keysOf returns the keys of addresses, sorted, as a port has them.
func keysOf(w wire, addrs ...netip.Addr) []uint32 {
	var keys []uint32
	for _, a := range addrs {
		keys = append(keys, w.key(a))
	}
	slices.Sort(keys)
	return keys
}

func vmOf(t *testing.T, program []bpf.Instruction) *bpf.VM {
	t.Helper()
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func TestNDPFilter(t *testing.T) {
	vm := vmOf(t, ndpProgram(keysOf(ndpWire{}, ip(t, "2001:db8::1"), ip(t, "2001:db8:1::7")), maxSpans))
	ns := solicit(t, selfMAC, "fe80::99", "2001:db8::1", "2001:db8::1")
	for _, tt := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"solicitation", ns, true},
		{"claim", claimBy(t, stranger, "2001:db8:1::7"), true},
		{"another address", solicit(t, selfMAC, "fe80::99", "2001:db8::1", "2001:db8::2"), false},
		{"another address, from ours", solicit(t, selfMAC, "2001:db8::1", "2001:db8::2", "2001:db8::2"), true},
		{"routed", edited(ns, ipHopLimit, 64), false},
		{"echo request", edited(ns, icmpType, 128), false},
		{"udp", edited(ns, ipNext, 17), false},
	} {
		if n, err := vm.Run(tt.frame); err != nil || (n > 0) != tt.want {
			t.Errorf("%s: passed %d bytes, %v; want %v", tt.name, n, err, tt.want)
		}
	}
}

// The longest filter has to fit into 4096 instructions, in both families.
func TestFilterLength(t *testing.T) {
	var four, six []netip.Addr
	for i := range 10_000 {
		four = append(four, netip.AddrFrom4([4]byte{10, byte(i % 199), byte(i >> 8), byte(i)}))
		six = append(six, netip.AddrFrom16([16]byte{0x20, 1, 12: byte(i), 13: byte(i % 199), 14: byte(i >> 8), 15: byte(i)}))
	}
	for _, tt := range []struct {
		wire  wire
		addrs []netip.Addr
	}{{arpWire{}, four}, {ndpWire{}, six}} {
		program, err := tt.wire.filter(keysOf(tt.wire, tt.addrs...), maxSpans)
		if err != nil || len(program) > 4096 {
			t.Errorf("%T: %d instructions, %v; want at most 4096", tt.wire, len(program), err)
		}
	}
}

// Law: whatever comes in, nothing panics; a reply goes to the asker and speaks
// of an address that is answered for; what is probed for is never answered; only
// strangers claim; and the filter passes whatever is acted on.
func FuzzARP(f *testing.F) {
	f.Add(ask(f, broadcast, "192.0.2.99", "192.0.2.1"))
	f.Add(ask(f, broadcast, "0.0.0.0", "192.0.2.2"))
	f.Add(claimBy(f, stranger, "192.0.2.1"))
	f.Add([]byte{})
	law := lawOf(f, arpWire{}, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	f.Fuzz(func(t *testing.T, frame []byte) {
		v, answers := law(t, frame)
		if v.outcome != answered {
			return
		}
		r, ok := parseARP(v.reply.data)
		if !ok || r.operation != arp.OperationReply || r.senderMAC != selfMAC || !answers(r.sender) || v.reply.to != mac(frame[22:28]) {
			t.Errorf("reply %+v to %s", r, v.reply.to)
		}
	})
}

// The same law for neighbor discovery.
func FuzzNDP(f *testing.F) {
	f.Add(solicit(f, selfMAC, "fe80::99", "2001:db8::1", "2001:db8::1"))
	f.Add(solicit(f, mac{0x33, 0x33, 0xff, 0, 0, 2}, "::", "ff02::1:ff00:2", "2001:db8::2"))
	f.Add(claimBy(f, stranger, "2001:db8::1"))
	f.Add([]byte{})
	law := lawOf(f, ndpWire{}, "2001:db8::1", "2001:db8::2", "2001:db8::3")
	f.Fuzz(func(t *testing.T, frame []byte) {
		v, answers := law(t, repaired(frame))
		if v.outcome != answered {
			return
		}
		if r, ok := parseNDP(v.reply.data); !ok || !r.advert || r.link != selfMAC || !answers(r.target) {
			t.Errorf("reply %+v", r)
		}
	})
}

// lawOf returns what answers a frame and checks the part of the law that both
// families have in common. Of three addresses one is announced, one probed for
// and one yielded; answers reports for which of them there may be a reply.
func lawOf(f *testing.F, w wire, addrs ...string) func(t *testing.T, frame []byte) (v verdict, answers func(netip.Addr) bool) {
	f.Helper()
	h := holdingOf(f, addrs...)
	h.addrs[ip(f, addrs[1])] = probed
	h.addrs[ip(f, addrs[2])] = yielded
	raw, err := w.filter(keysOf(w, ip(f, addrs[0]), ip(f, addrs[1]), ip(f, addrs[2])), maxSpans)
	if err != nil {
		f.Fatal(err)
	}
	ins, _ := bpf.Disassemble(raw)
	program, err := bpf.NewVM(ins[3:]) // less what the machine of x/net does not know
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, frame []byte) (verdict, func(netip.Addr) bool) {
		v := w.answer(frame, h)
		if v.outcome == answered || v.outcome == claimed || v.outcome == withheld {
			if n, err := program.Run(frame); err != nil || n == 0 {
				t.Errorf("%s, but the filter drops it: %v", v.outcome, err)
			}
		}
		if v.outcome == claimed && (h.addrs[v.addr] == 0 || h.ours(v.by)) {
			t.Errorf("claim of %s by %s", v.addr, v.by)
		}
		return v, func(a netip.Addr) bool { return h.addrs[a].answers() }
	}
}

// repaired returns the frame with a right checksum, so that fuzzing gets past
// it.
func repaired(frame []byte) []byte {
	out := append([]byte(nil), frame...)
	if len(out) < icmpEnd {
		return out
	}
	end := icmpType + int(out[ipLength])<<8 + int(out[ipLength+1])
	if end < icmpEnd || end > len(out) {
		return out
	}
	out[icmpType+2], out[icmpType+3] = 0, 0
	binary.BigEndian.PutUint16(out[icmpType+2:], ^onesSum(out[ipSource:end]))
	return out
}

// BenchmarkLookup is the cost of a frame that passed the filter and is not for
// us, among 10,000 addresses.
func BenchmarkLookup(b *testing.B) {
	h := holdingOf(b)
	for i := range 10_000 {
		h.addrs[netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})] = announced
	}
	frame := ask(b, broadcast, "192.0.2.99", "192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if v := (arpWire{}).answer(frame, h); v.outcome != notOurs {
			b.Fatal(v.outcome)
		}
	}
}

// BenchmarkReply is the cost of a reply, less the sending.
func BenchmarkReply(b *testing.B) {
	h := holdingOf(b, "192.0.2.1")
	frame := ask(b, broadcast, "192.0.2.99", "192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if v := (arpWire{}).answer(frame, h); v.outcome != answered {
			b.Fatal(v.outcome)
		}
	}
}
