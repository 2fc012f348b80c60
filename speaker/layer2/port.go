package layer2

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
)

// How long a full transmit queue may hold up a frame. The engine, which serves
// all ports, waits for what it sends itself, and tries again later; it may have
// to wait for a reply as well, which nobody sends again.
const (
	announceTimeout = 20 * time.Millisecond
	replyTimeout    = 50 * time.Millisecond
)

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

// at returns what an address is to the port.
func (p *port) at(addr netip.Addr) stance { return p.holding.addrs[addr] }

// stand changes what an address that is held is to the port.
func (p *port) stand(addr netip.Addr, s stance) {
	p.mu.Lock()
	p.holding.addrs[addr] = s
	p.mu.Unlock()
}

// know tells the port its own and all the host's hardware addresses.
func (p *port) know(self mac, own map[mac]bool) {
	p.mu.Lock()
	p.holding.self, p.holding.own = self, own
	p.mu.Unlock()
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
		if err := p.send(f, announceTimeout); err != nil {
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
	return p.send(f, announceTimeout)
}

// send writes a frame. It is called with mu held. If the queue stays full for
// the timeout, the error is os.ErrDeadlineExceeded.
func (p *port) send(f outFrame, timeout time.Duration) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
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
