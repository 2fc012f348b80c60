package bfd

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"

	"github.com/heraldlb/herald/internal/owner"
)

// shared is what a Manager and the goroutine that owns its sessions both see.
type shared struct {
	config  Config // complete
	metrics *metrics
	network network

	requests *owner.Requests[func(*engine) error]
	changedC chan struct{} // capacity 1
	hushed   atomic.Bool
	// born is what times are counted from that change with every packet.
	born time.Time
	view atomic.Pointer[[]seen] // frozen
}

// A seen is a status that was published, and what goes on changing after that.
type seen struct {
	key    key
	status Status
	// received is when the last packet came, after born; zero before.
	received *atomic.Int64
}

func newManager(c Config, n network) *Manager {
	if c.Logger == nil {
		c.Logger = log.NewNopLogger()
	}
	c.Port = cmp.Or(c.Port, DefaultPort)
	c.MultihopPort = cmp.Or(c.MultihopPort, DefaultMultihopPort)
	s := &shared{
		config:   c,
		metrics:  newMetrics(c.Registerer),
		network:  n,
		requests: owner.New[func(*engine) error](errEnded),
		changedC: make(chan struct{}, 1),
		born:     time.Now(),
	}
	s.view.Store(&[]seen{})
	return &Manager{s}
}

// status returns a copy of what was published, with what came since.
func (s *shared) status() []Status {
	view := *s.view.Load()
	out := make([]Status, len(view))
	for i, v := range view {
		out[i] = v.status
		if at := v.received.Load(); at != 0 {
			out[i].LastReceived = s.born.Add(time.Duration(at))
		}
	}
	return out
}

// A key tells sessions apart. Addresses are without zone.
type key struct {
	remote, local netip.Addr
	iface         string
	multihop      bool
}

// compare orders keys.
func (k key) compare(o key) int {
	return cmp.Or(
		k.remote.Compare(o.remote), k.local.Compare(o.local), cmp.Compare(k.iface, o.iface),
		cmp.Compare(bit(k.multihop), bit(o.multihop)),
	)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// key checks s and returns its key.
func (s Session) key() (key, error) {
	k := key{remote: s.Remote.Unmap().WithZone(""), local: s.Local.Unmap().WithZone(""), iface: s.Interface, multihop: s.Multihop}
	if k.iface == "" {
		k.iface = s.Remote.Zone()
	}
	switch {
	case !k.remote.IsValid() || k.remote.IsUnspecified() || k.remote.IsMulticast():
		return k, fmt.Errorf("remote address %v: not that of a peer", s.Remote)
	case s.Remote.Zone() != "" && s.Remote.Zone() != k.iface:
		return k, fmt.Errorf("remote address %v: not on interface %s", s.Remote, k.iface)
	case k.remote.IsLinkLocalUnicast() && k.remote.Is6() && k.iface == "":
		return k, fmt.Errorf("remote address %v: link-local without an interface", s.Remote)
	case k.remote.IsLinkLocalUnicast() && k.multihop:
		return k, fmt.Errorf("remote address %v: link-local and multihop", s.Remote)
	case k.local.IsValid() && k.local.Is4() != k.remote.Is4():
		return k, fmt.Errorf("remote address %v: not of the family of %v", s.Remote, s.Local)
	}
	return k, s.Profile.complete().check()
}

// minInterval is the shortest interval that can be asked for.
const minInterval = time.Millisecond

// check says what is wrong with a complete profile.
func (p Profile) check() error {
	for _, d := range []time.Duration{p.Transmit, p.Receive} {
		if d < minInterval || d > maxInterval {
			return fmt.Errorf("interval %v: not between %v and %v", d, minInterval, maxInterval)
		}
	}
	return nil
}

// label returns what logs and metrics call the peer.
func (s Session) label() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Remote.String()
}

// token puts a token into a channel that has room for one.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
