package iprange

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
)

// A Count is an unsigned number of 128 bits, enough to count the addresses of
// any Range but the whole of IPv6, which has one more. Operations saturate
// instead of wrapping round. The zero Count is 0; Counts compare with ==.
type Count struct {
	hi, lo uint64
}

// MaxCount is the largest Count, 2^128-1.
var MaxCount = Count{math.MaxUint64, math.MaxUint64}

// CountOf returns n as a Count.
func CountOf(n uint64) Count { return Count{lo: n} }

// Add returns c+d, or MaxCount when that is too large.
func (c Count) Add(d Count) Count {
	lo, carry := bits.Add64(c.lo, d.lo, 0)
	hi, carry := bits.Add64(c.hi, d.hi, carry)
	if carry != 0 {
		return MaxCount
	}
	return Count{hi, lo}
}

// Sub returns c-d, or 0 when d is larger.
func (c Count) Sub(d Count) Count {
	lo, borrow := bits.Sub64(c.lo, d.lo, 0)
	hi, borrow := bits.Sub64(c.hi, d.hi, borrow)
	if borrow != 0 {
		return Count{}
	}
	return Count{hi, lo}
}

// Cmp returns -1, 0 or +1 as c is less than, equal to or greater than d.
func (c Count) Cmp(d Count) int {
	switch {
	case c == d:
		return 0
	case c.Less(d):
		return -1
	default:
		return 1
	}
}

// Less reports whether c is less than d.
func (c Count) Less(d Count) bool {
	return c.hi < d.hi || (c.hi == d.hi && c.lo < d.lo)
}

// IsZero reports whether c is 0.
func (c Count) IsZero() bool { return c == Count{} }

// Equal reports whether c and d are the same number; it is what go-cmp calls.
func (c Count) Equal(d Count) bool { return c == d }

// Uint64 returns c, or the largest uint64 when c is larger.
func (c Count) Uint64() uint64 {
	if c.hi != 0 {
		return math.MaxUint64
	}
	return c.lo
}

// Int64 returns c, or the largest int64 when c is larger.
func (c Count) Int64() int64 {
	return int64(min(c.Uint64(), math.MaxInt64))
}

// Float64 returns the float64 nearest to c, or next to it.
func (c Count) Float64() float64 {
	return float64(c.hi)*(1<<64) + float64(c.lo)
}

// String returns c in decimal.
func (c Count) String() string {
	const digits, chunk = 19, 1e19 // the largest power of ten in a uint64
	if c.hi == 0 {
		return strconv.FormatUint(c.lo, 10)
	}
	lo, rest := bits.Div64(c.hi%chunk, c.lo, chunk)
	return Count{c.hi / chunk, lo}.String() + fmt.Sprintf("%0*d", digits, rest)
}
