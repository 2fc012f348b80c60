package layer2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/speaker/desired"
)

// Links returns the network interfaces of this host that are Ethernet to it,
// sorted by name: those with an Ethernet address that speak ARP. The loopback,
// dummies and tunnels are not among them, nor are the ports of a bridge, bond or
// team, whose master has the traffic.
func Links() ([]desired.Link, error) {
	all, _, err := list(prefixOf)
	return all, err
}

// LastingLinks returns the same interfaces, without IPv6 addresses that may be no
// longer, or not yet, this host's: tentative and duplicate ones, deprecated ones
// (RFC 4862) and temporary ones (RFC 8981).
func LastingLinks() ([]desired.Link, error) {
	all, _, err := list(lasting)
	return all, err
}

// Announceable returns those of Links that addresses can be announced on. The
// ends of pods' cables are not among them: there is nobody to hear it, they come
// and go all day, there may be hundreds, and the others are not to be told.
func Announceable() ([]desired.Link, error) {
	all, cables, err := list(prefixOf)
	return slices.DeleteFunc(all, func(l desired.Link) bool { return cables[l.Name] }), err
}

// list returns the interfaces of Links with the addresses that convert takes, and
// the names of those that are the ends of pods' cables.
func list(convert func(netlink.Addr) (netip.Prefix, bool)) (links []desired.Link, cables map[string]bool, err error) {
	all, err := dump(netlink.LinkList)
	if err != nil {
		return nil, nil, fmt.Errorf("list network interfaces: %w", err)
	}
	masters := map[int]string{} // the type of each interface, by its index
	for _, l := range all {
		masters[l.Attrs().Index] = l.Type()
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, unix.AF_UNSPEC) })
	if err != nil {
		return nil, nil, fmt.Errorf("list addresses of network interfaces: %w", err)
	}
	prefixes := map[int][]netip.Prefix{}
	for _, a := range addrs {
		if p, ok := convert(a); ok {
			prefixes[a.LinkIndex] = append(prefixes[a.LinkIndex], p)
		}
	}
	cables = map[string]bool{}
	for _, l := range all {
		if at := l.Attrs(); usable(at, masters[at.MasterIndex]) {
			slices.SortFunc(prefixes[at.Index], netip.Prefix.Compare)
			m, _ := toMAC(at.HardwareAddr)
			links = append(links, desired.Link{Name: at.Name, Up: running(at), MAC: m, Prefixes: prefixes[at.Index]})
			cables[at.Name] = cable(l, prefixes[at.Index])
		}
	}
	slices.SortFunc(links, func(a, b desired.Link) int { return strings.Compare(a.Name, b.Name) })
	return links, cables, nil
}

// dumpAttempts is how often the kernel is asked for a list at once that changes
// while it is told.
const dumpAttempts = 3

// dump asks the kernel for a list.
func dump[T any](ask func() ([]T, error)) (all []T, err error) {
	for range dumpAttempts {
		if all, err = ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}

// cable reports whether an interface is the end of a pod's cable: its other end
// is in another network namespace, and it has no address of more than its own
// scope. The node in a container has its network through such a cable as well,
// but with an address.
func cable(l netlink.Link, prefixes []netip.Prefix) bool {
	if t := l.Type(); t != "veth" && t != "netkit" || l.Attrs().NetNsID < 0 {
		return false
	}
	return !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback()
	})
}

// prefixOf converts an address of an interface.
func prefixOf(a netlink.Addr) (netip.Prefix, bool) {
	if a.IPNet == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(a.IP)
	ones, bits := a.Mask.Size()
	addr = addr.Unmap()
	if !ok || bits != addr.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, ones), true
}

// lasting converts an address that other hosts can be told to send to.
func lasting(a netlink.Addr) (netip.Prefix, bool) {
	const passing = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY
	p, ok := prefixOf(a)
	// For IPv4 a flag of the same value says that an address is a secondary one.
	return p, ok && (p.Addr().Is4() || a.Flags&passing == 0)
}

// usable reports whether addresses can be announced on an interface whose
// master, if it has one, is of the given type.
func usable(at *netlink.LinkAttrs, master string) bool {
	_, ethernet := toMAC(at.HardwareAddr)
	port := master == "bridge" || master == "bond" || master == "team"
	return ethernet && !port && at.RawFlags&(unix.IFF_LOOPBACK|unix.IFF_NOARP) == 0
}

// running reports whether an interface is up and has a carrier.
func running(at *netlink.LinkAttrs) bool {
	const up = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	return at.RawFlags&up == up
}

// resubscribe is how long to wait before a lost subscription is tried again.
const resubscribe = time.Second

// WatchLinks puts a token into changed, unless one is there already, once at
// the start and whenever an interface or its addresses may have changed. It
// returns nil when ctx ends, and an error only if it cannot watch at all.
func WatchLinks(ctx context.Context, changed chan<- struct{}) error {
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for first := true; ; first = false {
		if err := watchLinks(ctx, notify); err != nil && first {
			return err
		}
		// The kernel dropped events that we were too slow for: anything may
		// have changed meanwhile, and the next subscription says so.
		timer := time.NewTimer(resubscribe)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// watchLinks calls notify for every event until ctx ends or one of the two
// subscriptions is lost.
func watchLinks(ctx context.Context, notify func()) error {
	done := make(chan struct{})
	links, addrs := make(chan netlink.LinkUpdate), make(chan netlink.AddrUpdate)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		return fmt.Errorf("watch network interfaces: %w", err)
	}
	if err := netlink.AddrSubscribe(addrs, done); err != nil {
		close(done)
		drain(links)
		return fmt.Errorf("watch addresses of network interfaces: %w", err)
	}
	defer drain(links)
	defer drain(addrs)
	defer close(done)

	notify()
	for {
		var ok bool
		select {
		case <-ctx.Done():
			return nil
		case _, ok = <-links:
		case _, ok = <-addrs:
		}
		if !ok {
			return nil
		}
		notify()
	}
}

// drain receives until c is closed, which lets its sender end.
func drain[T any](c <-chan T) {
	for range c {
	}
}
