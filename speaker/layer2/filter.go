package layer2

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The socket filter is a classic BPF program: it jumps only forward, holds
// 4096 instructions, and on older kernels far fewer (net.core.optmem_max). So
// it looks for an address in spans of addresses. Neighbours share a span, and
// when there are too many spans, those nearest to each other are joined: then
// the filter passes a few addresses too many, and the responder, which knows
// exactly, drops them.

// maxSpans is how many spans a filter tells apart: two searches of five
// instructions a span stay below 4096.
const maxSpans = 700

// pass and drop end a filter program. A frame is cut to what a neighbour
// message can need.
var (
	pass = bpf.RetConstant{Val: 512}
	drop = bpf.RetConstant{Val: 0}
)

// assemble puts the part before a program that passes only frames that the
// kernel takes for ours: to this host (0), broadcast (1) or multicast (2). The
// others are frames to other stations or of other VLANs (3), and our own (4).
func assemble(program []bpf.Instruction) ([]bpf.RawInstruction, error) {
	raw, err := bpf.Assemble(append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: unix.PACKET_MULTICAST, SkipFalse: 1},
		drop,
	}, program...))
	if err != nil {
		return nil, fmt.Errorf("socket filter: %w", err)
	}
	return raw, nil
}

// A span is a run of keys, both ends included.
type span struct{ first, last uint32 }

// cover returns at most limit spans, sorted and apart from each other, that
// hold every key; keys are sorted. It joins first keys that follow one another,
// then the spans with the smallest gaps between them.
func cover(keys []uint32, limit int) []span {
	var spans []span
	for _, k := range keys {
		if n := len(spans); n > 0 && k-spans[n-1].last <= 1 {
			spans[n-1].last = k
			continue
		}
		spans = append(spans, span{k, k})
	}
	surplus := len(spans) - max(limit, 1)
	if surplus <= 0 {
		return spans
	}
	gaps := make([]uint32, len(spans)-1)
	for i := range gaps {
		gaps[i] = spans[i+1].first - spans[i].last
	}
	slices.Sort(gaps)
	widest := gaps[surplus-1]
	joined := spans[:1]
	for _, s := range spans[1:] {
		last := &joined[len(joined)-1]
		if s.first-last.last <= widest {
			last.last = s.last
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// leafSize is how many bounds a leaf of the search compares one by one. Its
// conditional jumps stay far below their reach of 255.
const leafSize = 16

// miss marks the jumps that match points at the end of its program.
var miss = bpf.Jump{Skip: ^uint32(0)}

// match returns instructions that pass the frame when the accumulator is in a
// span, and fall out at their end when it is not.
func match(spans []span) []bpf.Instruction {
	var bounds []uint32 // where a span begins, and where it has ended, in turn
	for _, s := range spans {
		bounds = append(bounds, s.first)
		if s.last != ^uint32(0) {
			bounds = append(bounds, s.last+1)
		}
	}
	program := search(bounds, 0)
	for i, ins := range program {
		if ins == miss {
			program[i] = bpf.Jump{Skip: uint32(len(program) - 1 - i)}
		}
	}
	return program
}

// search finds the last bound that is not above the accumulator, of bounds
// that follow before other ones: at an even index it begins a span, at an odd
// one it ends it.
func search(bounds []uint32, before int) []bpf.Instruction {
	if len(bounds) <= leafSize {
		return leaf(bounds, before)
	}
	mid := len(bounds) / 2
	low, high := search(bounds[:mid], before), search(bounds[mid:], before+mid)
	program := []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: bounds[mid], SkipFalse: 1},
		bpf.Jump{Skip: uint32(len(low))},
	}
	return append(append(program, low...), high...)
}

// leaf compares with bounds from the highest down, and ends with both results,
// first the one for what is below all of them.
func leaf(bounds []uint32, before int) []bpf.Instruction {
	inside := before%2 == 1 // below the first bound
	var program []bpf.Instruction
	for i, bound := range slices.Backward(bounds) {
		skip := uint8(i) // over the comparisons that are left, to the first result
		if within := (before+i)%2 == 0; within != inside {
			skip++
		}
		program = append(program, bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: bound, SkipTrue: skip})
	}
	if inside {
		return append(program, pass, miss)
	}
	return append(program, miss, pass)
}
