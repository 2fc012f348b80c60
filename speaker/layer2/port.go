package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
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

// A spot is an address at a port.
type spot struct {
	port *port
	addr netip.Addr
}

// A claim is a frame in which another station claims an address of ours.
type claim struct {
	spot
	by mac
	// fellow is true if the station is a fellow speaker.
	fellow bool
}

// A port answers in one family on one interface. All methods but serve are
// called by the one goroutine that owns it.
type port struct {
	key  portKey
	link link
	wire wire
	conn conn
	// keys are what the filter looks for, sorted, one for each address held.
	keys []uint32
	// groups has how many of the addresses held are in each group. member has
	// joined those in joined.
	groups map[netip.Addr]int
	member membership
	joined addrSet
	// own speaks to this host's kernel.
	own loopback
	// stop ends serve; it is closed once, by close.
	stop     chan struct{}
	counters [outcomes]prometheus.Counter
	claims   chan<- claim
	// fellows has the hardware addresses of other speakers.
	fellows *atomic.Pointer[fellows]
	// passed is the claim that was passed on last, and when; serve's alone.
	passed   claim
	passedAt time.Time
	// stale is true if the filter or the groups may not fit: there was an error,
	// or an address was released.
	stale bool

	// mu is held while a frame is decided on and sent, not only while holding
	// is read: an address that has been taken out of it is then not in any
	// reply on its way, which is what Set promises.
	mu      sync.Mutex
	holding holding
}

// hold gives the port addresses besides those that it has, or makes them
// something else to it. The filter is replaced first, in one step, so there is
// no moment in which it drops an address that is held before and after.
func (p *port) hold(addrs stances) error {
	var errs []error
	n := len(p.keys)
	for a := range addrs {
		if p.at(a) == 0 {
			p.keys = append(p.keys, p.wire.key(a))
			errs = append(errs, p.need(a))
		}
	}
	if len(p.keys) > n {
		slices.Sort(p.keys)
		errs = append(errs, p.setFilter())
	}
	err := errors.Join(errs...)
	p.stale = p.stale || err != nil
	p.mu.Lock()
	maps.Copy(p.holding.addrs, addrs)
	p.mu.Unlock()
	return err
}

// drop takes addresses that it has from the port.
func (p *port) drop(addrs []netip.Addr) error {
	if len(addrs) == 0 {
		return nil
	}
	stale := p.stale
	err := errors.Join(p.release(addrs...), p.setFilter())
	p.stale = stale || err != nil
	return err
}

// at returns what an address is to the port.
func (p *port) at(addr netip.Addr) stance { return p.holding.addrs[addr] }

// stand changes what an address that is held is to the port.
func (p *port) stand(addr netip.Addr, s stance) {
	p.mu.Lock()
	p.holding.addrs[addr] = s
	p.mu.Unlock()
}

// release takes addresses that it has from the port, and leaves the filter as
// it is, which passes too much then.
func (p *port) release(addrs ...netip.Addr) error {
	p.mu.Lock()
	for _, a := range addrs {
		delete(p.holding.addrs, a)
	}
	p.mu.Unlock()
	p.stale = true
	var errs []error
	keys := make([]uint32, 0, len(addrs))
	for _, a := range addrs {
		keys = append(keys, p.wire.key(a))
		errs = append(errs, p.spare(a))
	}
	slices.Sort(keys)
	p.keys = without(p.keys, keys)
	return errors.Join(errs...)
}

// without removes keys from others; both are sorted and may have equal ones.
func without(others, keys []uint32) []uint32 {
	return slices.DeleteFunc(others, func(k uint32) bool {
		if len(keys) == 0 || keys[0] != k {
			return false
		}
		keys = keys[1:]
		return true
	})
}

// know tells the port its own and all the host's hardware addresses.
func (p *port) know(self mac, own map[mac]bool) {
	p.mu.Lock()
	p.holding.self, p.holding.own = self, own
	p.mu.Unlock()
}

// refit makes the filter and the groups those of the addresses that are held.
func (p *port) refit() error {
	var errs []error
	for g := range p.groups {
		errs = append(errs, p.join(g))
	}
	for g := range p.joined {
		if p.groups[g] == 0 {
			errs = append(errs, p.leave(g))
		}
	}
	err := errors.Join(append(errs, p.setFilter())...)
	p.stale = err != nil
	return err
}

// setFilter gives the socket a filter for what is held. Kernels limit the memory
// of a filter; one that is too long for this kernel is made shorter.
func (p *port) setFilter() error {
	var err error
	for limit := maxSpans; limit > 0; limit /= 4 {
		program, ferr := p.wire.filter(p.keys, limit)
		if ferr != nil {
			return ferr
		}
		if err = p.conn.SetBPF(program); !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("socket filter for %d addresses: %w", len(p.keys), err)
	}
	return nil
}

// need joins the group of an address that comes, if it has one.
func (p *port) need(addr netip.Addr) error {
	g, ok := p.wire.group(addr)
	if !ok {
		return nil
	}
	p.groups[g]++
	return p.join(g)
}

// spare leaves the group of an address that has gone, if no other one is in it.
func (p *port) spare(addr netip.Addr) error {
	g, ok := p.wire.group(addr)
	if !ok {
		return nil
	}
	if p.groups[g]--; p.groups[g] > 0 {
		return nil
	}
	delete(p.groups, g)
	return p.leave(g)
}

// join joins a group, unless that was done before.
func (p *port) join(group netip.Addr) error {
	if _, ok := p.joined[group]; ok {
		return nil
	}
	err := p.member.join(group)
	if err == nil {
		p.joined[group] = struct{}{}
	}
	return err
}

// leave leaves a group, if it was joined. It is not tried again: what refuses it
// is that the interface has gone.
func (p *port) leave(group netip.Addr) error {
	if _, ok := p.joined[group]; !ok {
		return nil
	}
	delete(p.joined, group)
	return p.member.leave(group)
}

// announce tells the link where addr is, if the port still announces it.
func (p *port) announce(addr netip.Addr, full bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at(addr) != announced {
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

// inform tells the own kernel what announce told the link, where that matters.
func (p *port) inform(addr netip.Addr) error {
	if !p.key.six || p.at(addr) != announced {
		return nil
	}
	return p.own.advertise(addr, p.holding.self)
}

// probe asks the link for addr, if the port still probes for it.
func (p *port) probe(addr netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at(addr) != probed {
		return nil
	}
	f, err := p.wire.probe(addr, p.holding.self)
	if err != nil {
		return err
	}
	return p.send(f)
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
	p.own.close()
	return p.conn.Close()
}
