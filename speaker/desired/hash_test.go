package desired

import (
	"net/netip"
	"testing"
)

// scoreOf is the score of a node for an address.
func scoreOf(node string, addr netip.Addr) uint64 { return score(hashName(node), newSlot(addr)) }

// The scores are a contract between speakers of all versions and
// architectures: a change that fails here splits clusters while they update.
func TestScorePinned(t *testing.T) {
	tests := []struct {
		node, addr string
		want       uint64
	}{
		{"n1", "192.0.2.1", 0xb2d76a7f001952d8},
		{"n2", "192.0.2.1", 0x4bee65c764212ec8},
		{"n1", "192.0.2.2", 0x9f384b7798317c0d},
		{"worker-10.example.net", "10.255.0.1", 0xe6aea4c53e3052de},
		{"n1", "2001:db8::1", 0x38c38b4b3997a98d},
		{"n1", "2001:db8:0:1::1", 0xacfe79da2a906a0},
	}
	for _, tt := range tests {
		if got := scoreOf(tt.node, netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("score of %s for %s = %#x, want %#x", tt.node, tt.addr, got, tt.want)
		}
	}
}

// Every bit of an address changes every bit of the score in about half of all
// cases. Only the rank, in the upper three bits, is not free: among neighbours,
// which differ in the address's lower three bits, no two have the same.
func TestScoreMixes(t *testing.T) {
	const addresses = 4096
	var flips [12][64]int
	for i := range addresses {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		for bit := range flips {
			j := i ^ 1<<bit
			b := netip.AddrFrom4([4]byte{10, 0, byte(j >> 8), byte(j)})
			d := scoreOf("n1", a) ^ scoreOf("n1", b)
			for k := range 64 {
				flips[bit][k] += int(d >> k & 1)
			}
		}
	}
	for bit := range flips {
		for k, n := range flips[bit] {
			most := 55
			if bit < 3 && k >= 61 {
				most = 62 // 4 of the 7 other ranks differ in a bit
			}
			if n < addresses*45/100 || n > addresses*most/100 {
				t.Errorf("address bit %d flips score bit %d in %d of %d cases", bit, k, n, addresses)
			}
		}
	}
}

// Of eight neighbours a node gives each another rank.
func TestNeighboursRank(t *testing.T) {
	for block := range 1000 {
		ranks := 0
		for place := range 8 {
			i := block*8 + place
			ranks |= 1 << (scoreOf("n1", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})) >> 61)
		}
		if ranks != 0xff {
			t.Fatalf("block %d has the ranks %#b", block, ranks)
		}
	}
}

// Nodes with alike names share the addresses of a pool fairly.
func TestSpread(t *testing.T) {
	const addresses = 30000
	for _, names := range [][]string{
		{"n1", "n2", "n3"}, {"node-a", "node-b", "node-c"}, {"10.0.0.1", "10.0.0.2", "10.0.0.3"},
	} {
		won := map[string]int{}
		for i := range addresses {
			a := netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})
			best := names[0]
			for _, n := range names[1:] {
				if scoreOf(n, a) > scoreOf(best, a) {
					best = n
				}
			}
			won[best]++
		}
		for _, n := range names {
			if w := won[n]; w < addresses*97/300 || w > addresses*103/300 {
				t.Errorf("%v: %s wins %d of %d addresses", names, n, w, addresses)
			}
		}
	}
}
