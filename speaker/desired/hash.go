package desired

import (
	"encoding/binary"
	"net/netip"
)

// Rendezvous hashing needs two things of a score: that those of two nodes for
// one address are independent, however much alike the names are ("worker-1" and
// "worker-2"), and that a node's scores for many addresses are evenly spread.
// Every speaker must compute the same scores, so these functions never change:
// during a rolling update to a version with other scores some addresses would
// have two holders, and some none. A test pins their values.

// FNV-1a with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hashName hashes the name of a node. FNV-1a tells names apart but hardly
// mixes their last bytes, which are those that differ; mix makes up for that.
func hashName(name string) uint64 {
	h := uint64(fnvOffset)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * fnvPrime
	}
	return mix(h)
}

// A slot is an address as score needs it: the hash of the block of eight
// neighbours that it is in, and its place among them.
type slot struct{ block, place uint64 }

// newSlot returns the slot of an address.
func newSlot(a netip.Addr) slot {
	b := a.As16()
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	return slot{block: mix(mix(high+fnvOffset) + low>>3), place: low & 7}
}

// score says how much a node wants an address; the highest score wins.
//
// Of eight neighbours a node gives each another rank, in an order that is its
// own, and within ranks the score is random. With scores that are random
// altogether, three addresses in a row are on one of three nodes in one of nine
// clusters; this way in about half as many, and more addresses spread better
// too, though still without regard to what other nodes and addresses there are.
func score(node uint64, s slot) uint64 {
	block := mix(node ^ s.block)
	// The ranks are those of the block's bytes, equal ones by their place:
	// compare (byte, place), without branches, as there is no pattern in them.
	mine := block>>(8*s.place)&0xff<<3 | s.place
	rank := uint64(0)
	for place := range uint64(8) {
		other := block>>(8*place)&0xff<<3 | place
		rank += (other - mine) >> 63 // 1 when other is less
	}
	return rank<<61 | mix(block+s.place+1)>>3
}

// mix is a bijection in which every bit of x changes about half of the result:
// two rounds of xor-shift and multiply by odd constants (the finalizer of
// splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
