package layer2

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A link is a network interface as the announcer sees it.
type link struct {
	name  string
	index int
	// mac is zero when the interface has no Ethernet address.
	mac     mac
	running bool
}

// A linkEvent says that an interface is new, has changed, or is gone.
type linkEvent struct {
	link link
	gone bool
}

// A conn is a packet socket. Closing it ends a blocking ReadFrom.
type conn interface {
	ReadFrom(b []byte) (int, net.Addr, error)
	WriteTo(b []byte, to net.Addr) (int, error)
	SetBPF(program []bpf.RawInstruction) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// A membership keeps a link listening to multicast groups.
type membership interface {
	join(group netip.Addr) error
	leave(group netip.Addr) error
	close()
}

// A network is what an Announcer needs of its host.
type network interface {
	// link returns the interface of that name.
	link(name string) (link, error)
	// open returns a socket for frames of a type on a link. It receives
	// nothing before its first filter is set.
	open(l link, etherType uint16) (conn, error)
	// groups returns a membership in no group yet.
	groups(l link) membership
	// loopback returns one that nothing was said on yet.
	loopback(l link) loopback
	// subscribe sends every interface and then every event, until stop is
	// called or events were lost; then it closes the channel.
	subscribe() (events <-chan linkEvent, stop func(), err error)
}

// errNoInterface: no interface has that name now; it may come.
var errNoInterface = errors.New("no such network interface")

// host is the network of the namespace that the calling thread is in.
type host struct{}

var _ network = host{}

func (host) link(name string) (link, error) {
	l, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return link{}, errNoInterface
	}
	if err != nil {
		return link{}, err
	}
	return fromAttrs(l.Attrs()), nil
}

// fromAttrs converts what netlink says about an interface.
func fromAttrs(at *netlink.LinkAttrs) link {
	m, _ := toMAC(at.HardwareAddr)
	return link{name: at.Name, index: at.Index, mac: m, running: running(at)}
}

func (host) open(l link, etherType uint16) (conn, error) {
	nothing, err := bpf.Assemble([]bpf.Instruction{drop})
	if err != nil {
		return nil, err
	}
	ifi := &net.Interface{Index: l.index, Name: l.name, HardwareAddr: l.mac.hw()}
	return packet.Listen(ifi, packet.Raw, int(etherType), &packet.Config{Filter: nothing})
}

// subscribe asks for changes first and for what there is after that, so that
// nothing is missed in between. The one request that does both is not for a
// process without NET_ADMIN.
func (host) subscribe() (<-chan linkEvent, func(), error) {
	updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		close(done)
		return nil, nil, fmt.Errorf("watch network interfaces: %w", err)
	}
	// Interrupted: something changed meanwhile, and an update tells what.
	existing, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		close(done)
		drain(updates)
		return nil, nil, fmt.Errorf("list network interfaces: %w", err)
	}
	events := make(chan linkEvent)
	go forward(existing, updates, events, done)
	return events, func() { close(done); drain(events) }, nil
}

// forward sends what there is and then what changes, until done is closed or
// the kernel stops to tell. It closes events.
func forward(existing []netlink.Link, updates <-chan netlink.LinkUpdate, events chan<- linkEvent, done <-chan struct{}) {
	defer close(events)
	defer drain(updates)
	send := func(ev linkEvent) bool {
		select {
		case events <- ev:
			return true
		case <-done:
			return false
		}
	}
	for _, l := range existing {
		if !send(linkEvent{link: fromAttrs(l.Attrs())}) {
			return
		}
	}
	for {
		var u netlink.LinkUpdate
		ok := false
		select {
		case u, ok = <-updates:
		case <-done:
		}
		if !ok {
			return
		}
		// A bridge speaks of its ports in messages of a family of its own: a
		// deletion there means that a port has left the bridge.
		if u.Family == unix.AF_BRIDGE {
			continue
		}
		if !send(linkEvent{link: fromAttrs(u.Attrs()), gone: u.Header.Type == unix.RTM_DELLINK}) {
			return
		}
	}
}

// groups implements network.
func (host) groups(l link) membership { return &hostGroups{index: l.index, at: map[netip.Addr]int{}} }

// hostGroups joins multicast groups through the kernel's IPv6, so that
// switches that follow multicast reports learn of us as well. A socket holds a
// limited number of groups (net.core.optmem_max), so there may be several. It
// is used by one goroutine.
type hostGroups struct {
	index   int
	sockets []int
	at      map[netip.Addr]int // the socket that has joined a group
}

func (g *hostGroups) join(group netip.Addr) error {
	err := error(unix.ENOBUFS) // as if a socket before the first one were full
	if n := len(g.sockets); n > 0 {
		err = g.joinAt(g.sockets[n-1], group)
	}
	if !errors.Is(err, unix.ENOMEM) && !errors.Is(err, unix.ENOBUFS) {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("join %s: %w", group, err)
	}
	g.sockets = append(g.sockets, fd)
	return g.joinAt(fd, group)
}

// joinAt joins on one socket.
func (g *hostGroups) joinAt(fd int, group netip.Addr) error {
	if err := unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, g.request(group)); err != nil {
		return fmt.Errorf("join %s: %w", group, err)
	}
	g.at[group] = fd
	return nil
}

func (g *hostGroups) request(group netip.Addr) *unix.IPv6Mreq {
	return &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(g.index)}
}

func (g *hostGroups) leave(group netip.Addr) error {
	fd, ok := g.at[group]
	if !ok {
		return nil
	}
	delete(g.at, group)
	if err := unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_LEAVE_GROUP, g.request(group)); err != nil {
		return fmt.Errorf("leave %s: %w", group, err)
	}
	return nil
}

func (g *hostGroups) close() {
	for _, fd := range g.sockets {
		_ = unix.Close(fd)
	}
	g.sockets, g.at = nil, map[netip.Addr]int{}
}
