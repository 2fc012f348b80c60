// Package iprange has inclusive ranges of IP addresses over net/netip:
// parsing, order, overlap, subtraction and counts up to the whole of IPv6.
//
// It is pure, and a Range never mixes families.
package iprange
