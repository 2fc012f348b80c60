package bfd

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A simWire is two hosts in memory with a wire between them, and a wire that
// does not lose what is not cut.
type simWire struct {
	mu    sync.Mutex
	apart bool
	taken map[door]bool // by another program on host 0
	hosts [2]*simHost
}

// A simHost is a network of a simWire.
type simHost struct {
	wire    *simWire
	side    int
	inboxes map[door]*simInbox
}

var _ network = (*simHost)(nil)

func newSimWire() *simWire {
	w := &simWire{taken: map[door]bool{}}
	for side := range w.hosts {
		w.hosts[side] = &simHost{wire: w, side: side, inboxes: map[door]*simInbox{}}
	}
	return w
}

func (w *simWire) manager(_ *testing.T, side int, c Config) (*Manager, func(func() error) error) {
	return newManager(c, w.hosts[side]), func(run func() error) error { return run() }
}

func (w *simWire) cut(apart bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.apart = apart
}

func (w *simWire) take(at door) (giveBack func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[at] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.taken[at] = false
	}
}

func (w *simWire) inject(at door, ttl int, from, to netip.Addr, b []byte) {
	w.deliver(0, at, arrival{from: from.WithZone(""), to: to.WithZone(""), index: 1, ttl: ttl}, b)
}

// deliver puts a packet before a host. It reports false if nothing listens.
func (w *simWire) deliver(side int, at door, a arrival, b []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.hosts[side].inboxes[at]
	if w.apart || in == nil {
		return w.apart
	}
	a.length = len(b)
	in.packets = append(in.packets, simPacket{a, slices.Clone(b)})
	select {
	case in.come <- struct{}{}:
	default:
	}
	return true
}

func (h *simHost) listen(at door) (inbox, error) {
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	if h.inboxes[at] != nil || h.side == 0 && h.wire.taken[at] {
		return nil, unix.EADDRINUSE
	}
	in := &simInbox{host: h, at: at, come: make(chan struct{}, 1), closed: make(chan struct{})}
	h.inboxes[at] = in
	return in, nil
}

func (h *simHost) dial(to path) (outbox, error) {
	if to.key.iface != "" && to.key.iface != "e0" {
		return nil, unix.ENODEV
	}
	k := to.key
	o := simOutbox{host: h, at: door{port: to.port, v6: k.remote.Is6(), multihop: k.multihop}, iface: k.iface}
	o.arrival = arrival{from: k.local, to: k.remote, index: 1, ttl: maxTTL}
	if !k.local.IsValid() {
		o.arrival.from = sideAddrs[h.side][bit(k.remote.Is6())]
	}
	return o, nil
}

type simPacket struct {
	arrival arrival
	b       []byte
}

type simInbox struct {
	host    *simHost
	at      door
	packets []simPacket
	come    chan struct{}
	once    sync.Once
	closed  chan struct{}
}

func (i *simInbox) watch(ready func()) {
	ready()
	for {
		select {
		case <-i.come:
			ready()
		case <-i.closed:
			return
		}
	}
}

func (i *simInbox) receive(b []byte) (arrival, error) {
	i.host.wire.mu.Lock()
	defer i.host.wire.mu.Unlock()
	if len(i.packets) == 0 {
		return arrival{}, errNothing
	}
	p := i.packets[0]
	i.packets = i.packets[1:]
	copy(b, p.b)
	return p.arrival, nil
}

func (i *simInbox) Close() error {
	err := net.ErrClosed
	i.once.Do(func() {
		err = nil
		close(i.closed)
		i.host.wire.mu.Lock()
		defer i.host.wire.mu.Unlock()
		delete(i.host.inboxes, i.at)
	})
	return err
}

type simOutbox struct {
	host    *simHost
	at      door
	iface   string
	arrival arrival
}

func (o simOutbox) send(b []byte) error {
	if !o.host.wire.deliver(1-o.host.side, o.at, o.arrival, b) {
		return errRefused
	}
	return nil
}

func (o simOutbox) index() int { return bit(o.iface != "") }

func (simOutbox) Close() error { return nil }
