package bfd

import (
	"errors"
	"io"
	"net/netip"
)

// A network is what a Manager needs of its host.
type network interface {
	// listen opens a receiving socket.
	listen(at door) (inbox, error)
	// dial opens a sending socket.
	dial(to path) (outbox, error)
}

// A door is where packets are received.
type door struct {
	port         uint16
	v6, multihop bool
}

// A path is where the packets of a session go.
type path struct {
	key  key
	port uint16
}

// An inbox is a receiving socket.
type inbox interface {
	// watch calls ready whenever something may have come that was not there at
	// the call before, until the inbox is closed.
	watch(ready func())
	// receive reads a packet that has come, into b. It does not wait. It returns
	// errNothing when there is none.
	receive(b []byte) (arrival, error)
	io.Closer
}

// An outbox is a sending socket. Sending does not wait.
type outbox interface {
	send(b []byte) error
	// index is that of the interface it is bound to, or zero.
	index() int
	io.Closer
}

// An arrival is what an inbox has received. Addresses are without zone.
type arrival struct {
	from, to netip.Addr
	index    int // of the interface
	ttl      int
	length   int
}

var (
	errNothing = errors.New("nothing has come")
	// errRefused: the host of the peer says that nothing listens there.
	errRefused = errors.New("the peer does not listen to bfd: connection refused")
	errNoPort  = errors.New("no free source port between 49152 and 65535")
)

// The range of source ports (RFC 5881 section 4).
const (
	firstSource = 49152
	sources     = 1<<16 - firstSource
)
