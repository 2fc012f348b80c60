package layer2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// writeTimeout bounds how long a full transmit queue may hold up a frame.
const writeTimeout = 200 * time.Millisecond

// A portKey names a port: an interface and a family.
type portKey struct {
	name string
	six  bool
}

// wire returns the protocol of the port's family.
func (k portKey) wire() wire {
	if k.six {
		return ndpWire{}
	}
	return arpWire{}
}

// protocol returns the name of the port's protocol, as it stands in logs.
func (k portKey) protocol() string {
	if k.six {
		return "ndp"
	}
	return "arp"
}

// compare orders keys by interface, IPv4 first.
func (k portKey) compare(o portKey) int {
	switch {
	case k.name < o.name, k.name == o.name && !k.six && o.six:
		return -1
	case k == o:
		return 0
	default:
		return 1
	}
}

// A claim is a frame in which another station claims an address of ours.
type claim struct {
	port *port
	addr netip.Addr
	by   mac
}

// A port answers in one family on one interface. All methods but serve are
// called by the one goroutine that owns it.
type port struct {
	key  portKey
	link link
	wire wire
	conn conn
	// member has joined the groups in joined.
	member membership
	joined map[netip.Addr]struct{}
	// stop ends serve; it is closed once, by close.
	stop     chan struct{}
	counters [outcomes]prometheus.Counter
	claims   chan<- claim
	// stale is true if the last hold had an error: the filter or the groups
	// may miss an address.
	stale bool

	// mu is held while a frame is decided on and sent, not only while holding
	// is read: an address that has been taken out of it is then not in any
	// reply on its way, which is what Set promises.
	mu      sync.Mutex
	holding holding
}

// hold makes the port answer for exactly addrs, which it keeps. The filter is replaced first,
// in one step, so there is no moment in which it drops an address that is held
// before and after.
func (p *port) hold(addrs map[netip.Addr]struct{}) error {
	err := errors.Join(p.joinGroups(addrs), p.setFilter(addrs))
	p.stale = err != nil
	p.mu.Lock()
	p.holding.addrs = addrs
	p.mu.Unlock()
	return err
}

// holds reports whether the port answers for addr.
func (p *port) holds(addr netip.Addr) bool { return p.holding.holds(addr) }

// release makes the port answer for one address less, without touching the
// filter.
func (p *port) release(addr netip.Addr) {
	p.mu.Lock()
	delete(p.holding.addrs, addr)
	p.mu.Unlock()
}

// know tells the port its own and all the host's hardware addresses.
func (p *port) know(self mac, own map[mac]bool) {
	p.mu.Lock()
	p.holding.self, p.holding.own = self, own
	p.mu.Unlock()
}

// setFilter gives the socket a filter for addrs. Kernels limit the memory of a
// filter; one that is too long for this kernel is made shorter.
func (p *port) setFilter(addrs map[netip.Addr]struct{}) error {
	list := slices.Collect(maps.Keys(addrs))
	var err error
	for limit := maxSpans; limit > 0; limit /= 4 {
		program, ferr := p.wire.filter(list, limit)
		if ferr != nil {
			return ferr
		}
		if err = p.conn.SetBPF(program); !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("socket filter for %d addresses: %w", len(list), err)
	}
	return nil
}

// joinGroups joins the groups that addrs need and leaves the others.
func (p *port) joinGroups(addrs map[netip.Addr]struct{}) error {
	need := map[netip.Addr]struct{}{}
	for a := range addrs {
		if g, ok := p.wire.group(a); ok {
			need[g] = struct{}{}
		}
	}
	var errs []error
	for g := range need {
		if _, ok := p.joined[g]; ok {
			continue
		}
		if err := p.member.join(g); err != nil {
			errs = append(errs, err)
			continue
		}
		p.joined[g] = struct{}{}
	}
	for g := range p.joined {
		if _, ok := need[g]; !ok {
			errs = append(errs, p.member.leave(g))
			delete(p.joined, g)
		}
	}
	return errors.Join(errs...)
}

// announce tells the link where addr is, if the port still holds it.
func (p *port) announce(addr netip.Addr, full bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.holding.holds(addr) {
		return nil
	}
	frames, err := p.wire.announce(addr, p.holding.self, full)
	if err != nil {
		return err
	}
	for _, f := range frames {
		if err := p.send(f); err != nil {
			return err
		}
	}
	return nil
}

// send writes a frame. It is called with mu held.
func (p *port) send(f outFrame) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := p.conn.WriteTo(f.data, &packet.Addr{HardwareAddr: f.to.hw()})
	return err
}

// close ends serve. Nothing is answered once it has returned.
func (p *port) close() error {
	p.mu.Lock()
	p.holding.addrs = nil
	p.mu.Unlock()
	close(p.stop)
	p.member.close()
	return p.conn.Close()
}

// readPause is how long serve waits after a read error that came right behind
// another one.
const readPause = 100 * time.Millisecond

// serve reads and answers frames until the port is closed or ctx ends. A link
// that goes down gives one error and is read on; bad frames give none.
func (p *port) serve(ctx context.Context) {
	buf := make([]byte, 1024)
	failed := false
	for {
		n, _, err := p.conn.ReadFrom(buf)
		if err == nil {
			failed = false
			p.handle(buf[:n])
			continue
		}
		pause := time.Duration(0)
		if failed {
			pause = readPause
		}
		failed = true
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.stop: // closed before the socket, whose error says so in several ways
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// handle answers one frame, and passes a claim on.
func (p *port) handle(frame []byte) {
	v := p.reply(frame)
	p.counters[v.outcome].Inc()
	if v.outcome != claimed {
		return
	}
	select {
	case p.claims <- claim{port: p, addr: v.addr, by: v.by}:
	case <-p.stop:
	}
}

// reply decides on a frame and sends what it gets.
func (p *port) reply(frame []byte) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.wire.answer(frame, &p.holding)
	if v.outcome == answered && p.send(v.reply) != nil {
		v.outcome = sendFailed
	}
	return v
}
