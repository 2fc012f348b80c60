package layer2

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// errFilterTooLong is what the kernel says of a filter beyond its memory limit.
var errFilterTooLong = fmt.Errorf("setsockopt: %w", unix.ENOMEM)

// A simLAN is a network in memory: interfaces of one host, each with a station
// on the other end of its wire.
type simLAN struct {
	mu    sync.Mutex
	links map[string]link
	conns map[string][]*simConn
	subs  []chan linkEvent
	// wires has what the host sent on an interface.
	wires map[string]chan []byte
	// filterLimit is the length of the longest filter that the kernel takes.
	filterLimit int
	refuse      error // what open returns
	// stalled are interfaces whose transmit queue is full; it is not written
	// once the announcer runs.
	stalled map[string]bool
}

var _ network = (*simLAN)(nil)

func newSimLAN(names ...string) *simLAN {
	n := &simLAN{
		links: map[string]link{}, conns: map[string][]*simConn{}, wires: map[string]chan []byte{}, filterLimit: 4096,
	}
	for i, name := range names {
		n.put(link{name: name, index: i + 1, mac: mac{2, 0, 0, 0, 0, byte(i + 1)}, running: true})
	}
	return n
}

// put adds or changes an interface.
func (n *simLAN) put(l link) {
	n.mu.Lock()
	old, known := n.links[l.name]
	n.links[l.name] = l
	if n.wires[l.name] == nil {
		n.wires[l.name] = make(chan []byte, 1<<12)
	}
	if known && old.index != l.index {
		n.conns[l.name] = nil // sockets stay bound to what has gone
	}
	subs := slices.Clone(n.subs)
	n.mu.Unlock()
	for _, s := range subs {
		s <- linkEvent{link: l}
	}
}

// remove deletes an interface.
func (n *simLAN) remove(name string) {
	n.mu.Lock()
	l := n.links[name]
	delete(n.links, name)
	n.conns[name] = nil
	subs := slices.Clone(n.subs)
	n.mu.Unlock()
	for _, s := range subs {
		s <- linkEvent{link: l, gone: true}
	}
}

// lose ends all subscriptions, as the kernel does when events were lost.
func (n *simLAN) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.subs {
		close(s)
	}
	n.subs = nil
}

func (n *simLAN) link(name string) (link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.links[name]
	if !ok {
		return link{}, errNoInterface
	}
	return l, nil
}

func (n *simLAN) open(l link, etherType uint16) (conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse != nil {
		return nil, n.refuse
	}
	c := &simConn{lan: n, name: l.name, etherType: etherType, in: make(chan []byte, 1<<12), closed: make(chan struct{})}
	n.conns[l.name] = append(n.conns[l.name], c)
	return c, nil
}

func (n *simLAN) groups(link) membership { return simGroups{} }

func (n *simLAN) loopback(link) loopback { return simLoopback{} }

func (n *simLAN) subscribe() (<-chan linkEvent, func(), error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := make(chan linkEvent, 64)
	for _, l := range n.links {
		c <- linkEvent{link: l}
	}
	n.subs = append(n.subs, c)
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.subs = slices.DeleteFunc(n.subs, func(s chan linkEvent) bool { return s == c })
	}, nil
}

// deliver gives the host a frame that comes in on an interface.
func (n *simLAN) deliver(name string, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns[name] {
		if c.passes(frame) {
			c.in <- slices.Clone(frame)
		}
	}
}

type simGroups struct{}

func (simGroups) join(netip.Addr) error  { return nil }
func (simGroups) leave(netip.Addr) error { return nil }
func (simGroups) close()                 {}

type simLoopback struct{}

func (simLoopback) advertise(netip.Addr, mac) error { return nil }
func (simLoopback) close()                          {}

// A simConn is a socket of a simLAN. It runs the filter that it is given, less
// the part that the virtual machine of x/net does not know.
type simConn struct {
	lan       *simLAN
	name      string
	etherType uint16
	in        chan []byte
	closeOnce sync.Once
	closed    chan struct{}

	mu       sync.Mutex
	vm       *bpf.VM
	deadline time.Time // of writing
}

func (c *simConn) SetBPF(program []bpf.RawInstruction) error {
	if len(program) > c.lan.filterLimit {
		return errFilterTooLong
	}
	ins, _ := bpf.Disassemble(program)
	vm, err := bpf.NewVM(ins[3:])
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vm = vm
	return nil
}

func (c *simConn) passes(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vm == nil || len(frame) < 14 || uint16(frame[12])<<8|uint16(frame[13]) != c.etherType {
		return false
	}
	n, err := c.vm.Run(frame)
	return err == nil && n > 0
}

func (c *simConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case f := <-c.in:
		return copy(b, f), &packet.Addr{}, nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *simConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	if c.lan.stalled[c.name] {
		c.mu.Lock()
		left := time.Until(c.deadline)
		c.mu.Unlock()
		<-time.After(left)
		return 0, os.ErrDeadlineExceeded
	}
	c.lan.mu.Lock()
	wire := c.lan.wires[c.name]
	c.lan.mu.Unlock()
	select {
	case wire <- slices.Clone(b):
	default: // nobody looks
	}
	return len(b), nil
}

func (c *simConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

func (c *simConn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return nil
}

// sortedLed returns the addresses that are led, with their interfaces.
func sortedLed(a *Announcer) map[string][]string {
	out := map[string][]string{}
	for _, l := range a.Led() {
		out[l.Address.String()] = l.Interfaces
	}
	return out
}

// ip and ips parse addresses.
func ip(t testing.TB, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
