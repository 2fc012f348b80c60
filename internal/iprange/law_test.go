package iprange_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/heraldlb/herald/internal/iprange"
)

// An address is in the difference if and only if it is in from and not in
// cut, and the difference is sorted with a gap between any two ranges.
func TestSubtractLaw(t *testing.T) {
	const universe = 48
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		from, cut := someRanges(t, random, universe), someRanges(t, random, universe)
		left := iprange.Subtract(from, cut)
		for i := range universe {
			a := nth(i)
			want := contains(from, a) && !contains(cut, a)
			if contains(left, a) != want {
				t.Fatalf("%v - %v = %v: %v is in it: %v", from, cut, left, a, !want)
			}
		}
		for i := 1; i < len(left); i++ {
			a, b := left[i-1], left[i]
			if a.Compare(b) >= 0 || a.Overlaps(b) || a.Last().Next() == b.First() {
				t.Fatalf("%v - %v = %v: %v and %v", from, cut, left, a, b)
			}
		}
	}
}

// At undoes Offset, and a Range has as many addresses as Size says.
func TestOffsetLaw(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		for _, r := range someRanges(t, random, 40) {
			n := iprange.Count{}
			for a := r.First(); r.Contains(a); a = a.Next() {
				if r.Offset(a) != n || r.At(n) != a {
					t.Fatalf("%v: %v has offset %v, %v is at %v", r, a, r.Offset(a), n, r.At(n))
				}
				n = n.Add(iprange.CountOf(1))
			}
			if n != r.Size() {
				t.Fatalf("%v: size %v, counted %v", r, r.Size(), n)
			}
		}
	}
}

// Counts agree with big.Int, cut at 0 and at 2^128-1.
func TestCountLaw(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	limit := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	for range 5000 {
		c, bc := someCount(t, random)
		d, bd := someCount(t, random)
		sum, diff := new(big.Int).Add(bc, bd), new(big.Int).Sub(bc, bd)
		if sum.Cmp(limit) > 0 {
			sum = limit
		}
		if diff.Sign() < 0 {
			diff = new(big.Int)
		}
		same := c.String() == bc.String() && c.Add(d).String() == sum.String() && c.Sub(d).String() == diff.String() &&
			c.Cmp(d) == bc.Cmp(bd) && c.Less(d) == (bc.Cmp(bd) < 0) && c.IsZero() == (bc.Sign() == 0)
		if !same {
			t.Fatalf("%v and %v: sum %v, difference %v, order %d", c, d, c.Add(d), c.Sub(d), c.Cmp(d))
		}
		float, _ := new(big.Float).SetInt(bc).Float64()
		if math.Abs(c.Float64()-float) > float*1e-15 {
			t.Fatalf("%v: float %g, want %g", c, c.Float64(), float)
		}
		switch {
		case bc.IsInt64() && c.Int64() != bc.Int64(), !bc.IsInt64() && c.Int64() != math.MaxInt64:
			t.Fatalf("%v: int64 %d", c, c.Int64())
		case bc.IsUint64() && c.Uint64() != bc.Uint64(), !bc.IsUint64() && c.Uint64() != math.MaxUint64:
			t.Fatalf("%v: uint64 %d", c, c.Uint64())
		}
	}
}

// A value equals its copy.
func TestCopies(t *testing.T) {
	r := parse(t, "2001:db8::/64")
	other := parse(t, "2001:db8::/64")
	if r != other || !r.Equal(other) || r.Size() != other.Size() || !r.Size().Equal(other.Size()) || r.Compare(other) != 0 {
		t.Errorf("%v and its copy differ", r)
	}
}

// nth numbers addresses around the last one that IPv4 has, and then the first of IPv6.
func nth(i int) netip.Addr {
	if i < 24 {
		return netip.AddrFrom4([4]byte{255, 255, 255, byte(232 + i)})
	}
	return netip.AddrFrom16([16]byte{15: byte(i - 24)})
}

func someRanges(t *testing.T, random *rand.Rand, universe int) []iprange.Range {
	t.Helper()
	var some []iprange.Range
	for range random.IntN(5) {
		a, b := nth(random.IntN(universe)), nth(random.IntN(universe))
		if a.Is4() != b.Is4() {
			continue
		}
		if b.Less(a) {
			a, b = b, a
		}
		r, err := iprange.New(a, b)
		if err != nil {
			t.Fatal(err)
		}
		some = append(some, r)
	}
	return some
}

// someCount makes a Count by way of a range that starts at ::.
func someCount(t *testing.T, random *rand.Rand) (iprange.Count, *big.Int) {
	t.Helper()
	var b [16]byte
	for i := random.IntN(17); i < 16; i++ {
		b[i] = byte(random.Uint32()) | byte(random.IntN(2)*255)
	}
	r, err := iprange.New(netip.IPv6Unspecified(), netip.IPv6Unspecified().Next())
	if err != nil {
		t.Fatal(err)
	}
	return r.Offset(netip.AddrFrom16(b)), new(big.Int).SetBytes(b[:])
}

func contains(ranges []iprange.Range, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(r iprange.Range) bool { return r.Contains(a) })
}
