package gobgp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Types of messages (RFC 4271 section 4.1, RFC 2918).
const (
	typeOpen         = 1
	typeUpdate       = 2
	typeNotification = 3
	typeKeepalive    = 4
	typeRefresh      = 5
)

// Lengths of messages, with the header (RFC 4271 section 4).
const (
	headerLength = 19
	maxLength    = 4096
	minOpen      = 29
	minUpdate    = 23
	minNotify    = 21
	refreshIs    = 23
)

// A fault is what is wrong with a message, as a NOTIFICATION says it.
type fault struct {
	code, subcode byte
	data          []byte
	words         string
}

// Error returns what is wrong, in words.
func (f *fault) Error() string { return f.words }

// A reader reads messages.
type reader struct{ r *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, 1<<14)} }

// next reads the header of a message, and returns its type and how many octets
// follow. A header that is wrong is a *fault.
func (r *reader) next() (kind byte, length int, err error) {
	var h [headerLength]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return 0, 0, err
	}
	for _, b := range h[:16] {
		if b != 0xff {
			return 0, 0, &fault{code: 1, subcode: 1, words: "the router sent a message without marker: this is not BGP"}
		}
	}
	total := int(binary.BigEndian.Uint16(h[16:]))
	kind = h[18]
	least, most := headerLength, maxLength
	switch kind {
	case typeOpen:
		least = minOpen
	case typeUpdate:
		least = minUpdate
	case typeNotification:
		least = minNotify
	case typeKeepalive:
		most = headerLength
	case typeRefresh:
		least = refreshIs
	default:
		return 0, 0, &fault{code: 1, subcode: 3, data: []byte{kind}, words: fmt.Sprintf("the router sent a message of the unknown type %d", kind)}
	}
	if total < least || total > most {
		return 0, 0, &fault{code: 1, subcode: 2, data: bytes.Clone(h[16:18]), words: fmt.Sprintf("the router sent a message of type %d with length %d", kind, total)}
	}
	return kind, total - headerLength, nil
}

// body reads what follows a header.
func (r *reader) body(length int) ([]byte, error) {
	b := make([]byte, length)
	_, err := io.ReadFull(r.r, b)
	return b, err
}

// skip passes over what follows a header.
func (r *reader) skip(length int) error {
	_, err := r.r.Discard(length)
	return err
}

// message returns a message.
func message(kind byte, body ...byte) []byte {
	b := bytes.Repeat([]byte{0xff}, 16)
	b = binary.BigEndian.AppendUint16(b, uint16(headerLength+len(body)))
	return append(append(b, kind), body...)
}

// notification returns a NOTIFICATION (RFC 4271 section 4.5).
func notification(code, subcode byte, data ...byte) []byte {
	return message(typeNotification, append([]byte{code, subcode}, data...)...)
}
