package bfd

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cmpPacket compares packets.
var cmpPacket = cmp.AllowUnexported(packet{})

// somePacket is a packet as it goes over the wire, changed by edit.
func somePacket(edit func(b []byte)) []byte {
	b := []byte{
		0x20, 0xc0, 3, 24, // version 1, up, multiplier 3
		0, 0, 0, 7, 0, 0, 0, 9,
		0, 0, 0xc3, 0x50, 0, 1, 0x86, 0xa0, 0, 0, 0, 0,
	}
	if edit != nil {
		edit(b)
	}
	return b
}

func TestParse(t *testing.T) {
	want := packet{state: Up, multiplier: 3, mine: 7, yours: 9, minTx: 50 * time.Millisecond, minRx: 100 * time.Millisecond}
	flags := want
	flags.state, flags.diagnostic, flags.poll, flags.demand = Init, PathDown, true, true
	begin := want
	begin.state, begin.yours = Down, 0
	all := packet{
		state: AdminDown, diagnostic: 31, poll: true, final: true, multiplier: 255, mine: 1<<32 - 1, yours: 1<<32 - 1,
		minTx: maxInterval, minRx: maxInterval, minEcho: maxInterval,
	}
	tests := []struct {
		name string
		in   []byte
		want packet
		err  error
	}{
		{name: "up", in: somePacket(nil), want: want},
		{name: "flags", in: somePacket(func(b []byte) { b[0], b[1] = 0x25, 0xa2 }), want: flags},
		{name: "control plane independent", in: somePacket(func(b []byte) { b[1] |= 0x08 }), want: want},
		{name: "longer payload", in: append(somePacket(nil), 1, 2, 3), want: want},
		{name: "longer packet", in: append(somePacket(func(b []byte) { b[3] = 26 }), 0, 0), want: want},
		{name: "first one", in: somePacket(func(b []byte) { b[1], b[11] = 0x40, 0 }), want: begin},
		{name: "all ones", in: []byte{
			0x3f, 0x30, 255, 24, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		}, want: all},

		{name: "nothing", err: errShort},
		{name: "short", in: somePacket(nil)[:23], err: errShort},
		{name: "version 0", in: somePacket(func(b []byte) { b[0] = 0 }), err: errVersion},
		{name: "version 2", in: somePacket(func(b []byte) { b[0] = 0x40 }), err: errVersion},
		{name: "length below the header", in: somePacket(func(b []byte) { b[3] = 23 }), err: errLength},
		{name: "length beyond the payload", in: somePacket(func(b []byte) { b[3] = 25 }), err: errLength},
		{name: "multiplier", in: somePacket(func(b []byte) { b[2] = 0 }), err: errMultiplier},
		{name: "multipoint", in: somePacket(func(b []byte) { b[1] |= 1 }), err: errMultipoint},
		{name: "no discriminator", in: somePacket(func(b []byte) { b[7] = 0 }), err: errMine},
		{name: "up without ours", in: somePacket(func(b []byte) { b[11] = 0 }), err: errYours},
		{name: "init without ours", in: somePacket(func(b []byte) { b[1], b[11] = 0x80, 0 }), err: errYours},
		{name: "authentication", in: append(somePacket(func(b []byte) { b[1] |= 4; b[3] = 26 }), 1, 2), err: errAuthentication},
		{name: "authentication that is not there", in: somePacket(func(b []byte) { b[1] |= 4 }), err: errAuthentication},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got packet
			err := got.parse(tt.in)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tt.want, got, cmpPacket); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What can be read is written so that it is read the same again, in 24 bytes.
func FuzzParse(f *testing.F) {
	f.Add(somePacket(nil))
	f.Add(somePacket(func(b []byte) { b[0], b[1], b[11] = 0x27, 0x70, 0 }))
	f.Add(append(somePacket(func(b []byte) { b[1] |= 4; b[3] = 26 }), 1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again packet
		if p.parse(b) != nil {
			return
		}
		wire := p.appendTo(nil)
		if err := again.parse(wire); err != nil || len(wire) != packetLen {
			t.Fatalf("%+v is written as %x: %v", p, wire, err)
		}
		if p != again {
			t.Fatalf("%+v is read again as %+v", p, again)
		}
		m := newMachine(Profile{}, 1, time.Unix(0, 0))
		m.receive(&p, time.Unix(0, 1))
		m.wake()
		m.expire(time.Unix(1<<40, 0))
	})
}
