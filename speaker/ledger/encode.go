package ledger

import (
	"encoding/binary"

	"github.com/heraldlb/herald/speaker/desired"
)

// Encode returns the message as bytes. Claims that cannot be told, because they
// have no address or one with a zone, no node or no epoch, are left out.
func (m Message) Encode() []byte {
	b := newBuilder(m.From)
	b.complete = m.Complete
	b.claims = make([]byte, 0, 8*len(m.Claims))
	for _, c := range m.Claims {
		if validClaim(c) {
			b.addClaim(c)
		}
	}
	for _, r := range m.Records {
		b.addRecord(r)
	}
	return b.bytes()
}

// A builder puts a message together, piece by piece.
type builder struct {
	from     string
	complete bool

	numbers map[string]uint64 // of names
	names   []byte            // encoded, without that of the sender
	claims  []byte
	records []byte
	// counts of claims and records
	claimed, recorded uint64
}

// newBuilder returns the builder of an empty message.
func newBuilder(from string) *builder {
	return &builder{from: from, numbers: map[string]uint64{from: 0}}
}

// bytes returns the message.
func (b *builder) bytes() []byte {
	flags := byte(0)
	if b.complete {
		flags = flagComplete
	}
	out := make([]byte, 0, b.size())
	out = append(out, version)
	out = appendText(out, b.from)
	out = append(out, flags)
	out = binary.AppendUvarint(out, uint64(len(b.numbers)-1))
	out = append(out, b.names...)
	out = binary.AppendUvarint(out, b.claimed)
	out = append(out, b.claims...)
	out = binary.AppendUvarint(out, b.recorded)
	return append(out, b.records...)
}

// size returns the length of the message, or a little more.
func (b *builder) size() int {
	counts := 3 * 2
	if b.claimed+b.recorded > 1<<14 {
		counts = 3 * binary.MaxVarintLen64
	}
	return 2 + binary.MaxVarintLen16 + len(b.from) + counts + len(b.names) + len(b.claims) + len(b.records)
}

// try adds something and takes it back if the message is longer than limit
// then; ok is whether it is not.
func (b *builder) try(limit int, add func()) (ok bool) {
	before, named := *b, len(b.numbers)
	add()
	if b.size() <= limit {
		return true
	}
	for name, n := range b.numbers {
		if n >= uint64(named) {
			delete(b.numbers, name)
		}
	}
	*b = before
	return false
}

// addClaim adds a claim.
func (b *builder) addClaim(c desired.Claim) {
	flags := byte(0)
	if c.Address.Is6() {
		flags |= flagIPv6
	}
	if c.Weak {
		flags |= flagWeak
	}
	n := b.number(c.Node)
	b.claims = append(b.claims, flags)
	if c.Address.Is6() {
		a := c.Address.As16()
		b.claims = append(b.claims, a[:]...)
	} else {
		a := c.Address.As4()
		b.claims = append(b.claims, a[:]...)
	}
	b.claims = binary.AppendUvarint(b.claims, n)
	b.claims = binary.AppendUvarint(b.claims, c.Epoch)
	b.claimed++
}

// addRecord adds a record.
func (b *builder) addRecord(r Record) {
	flags := byte(0)
	if r.Links != nil {
		flags = flagKnown
	}
	out := binary.AppendUvarint(b.records, b.number(r.Node))
	out = binary.AppendUvarint(out, r.Version)
	out = append(out, flags)
	out = binary.AppendUvarint(out, uint64(len(r.Links)))
	for _, l := range r.Links {
		out = appendLink(out, l)
	}
	out = binary.AppendUvarint(out, uint64(len(r.Silent)))
	for _, name := range r.Silent {
		out = binary.AppendUvarint(out, b.number(name))
	}
	b.records = out
	b.recorded++
}

// number returns the number of a name, which it gets when it has none.
func (b *builder) number(name string) uint64 {
	n, ok := b.numbers[name]
	if !ok {
		n = uint64(len(b.numbers))
		b.numbers[name] = n
		b.names = appendText(b.names, name)
	}
	return n
}

// appendLink appends a link as in a record.
func appendLink(out []byte, l desired.Link) []byte {
	flags := byte(0)
	if l.Up {
		flags = flagUp
	}
	out = appendText(out, l.Name)
	out = append(out, flags)
	out = append(out, l.MAC[:]...)
	out = binary.AppendUvarint(out, uint64(len(l.Prefixes)))
	for _, p := range l.Prefixes {
		length := byte(p.Bits())
		if p.Addr().Is6() {
			length |= lengthIPv6
		}
		out = append(out, length)
		out = append(out, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	}
	return out
}

// appendText appends a text after its length.
func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}
