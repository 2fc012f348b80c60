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
	// member has joined the groups in joined.
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
	// stale is true if the filter and the groups may not fit: the last hold
	// had an error, or an address was dropped without one.
	stale bool

	// mu is held while a frame is decided on and sent, not only while holding
	// is read: an address that has been taken out of it is then not in any
	// reply on its way, which is what Set promises.
	mu      sync.Mutex
	holding holding
}

// hold gives the port exactly addrs, which it keeps. The filter is replaced
// first, in one step, so there is no moment in which it drops an address that
// is held before and after.
func (p *port) hold(addrs stances) error {
	err := errors.Join(p.joinGroups(addrs), p.setFilter(addrs))
	p.stale = err != nil
	p.mu.Lock()
	p.holding.addrs = addrs
	p.mu.Unlock()
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

// release takes an address from the port, without touching the filter and the
// groups.
func (p *port) release(addr netip.Addr) {
	p.mu.Lock()
	delete(p.holding.addrs, addr)
	p.mu.Unlock()
	p.stale = true
}

// know tells the port its own and all the host's hardware addresses.
func (p *port) know(self mac, own map[mac]bool) {
	p.mu.Lock()
	p.holding.self, p.holding.own = self, own
	p.mu.Unlock()
}

// setFilter gives the socket a filter for addrs. Kernels limit the memory of a
// filter; one that is too long for this kernel is made shorter.
func (p *port) setFilter(addrs stances) error {
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
func (p *port) joinGroups(addrs stances) error {
	need := addrSet{}
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
