package gobgp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/heraldlb/herald/speaker/bgp"
)

const (
	// restartTime is for how long routers keep routes when this end is away and
	// graceful restart was negotiated: a node's image pull and start of the pod.
	restartTime = 120
	// batch is how many paths the library takes at once. It sends nothing
	// meanwhile, not even keepalives.
	batch = 1000
	// Families as the configuration of the library counts them, which has all of
	// them by default.
	ipv4Unicast, ipv6Unicast = 0, 1
	// ports is how many listening addresses are tried.
	ports = 20
)

// starting is held while a server starts, since that writes variables that all
// servers of the process read.
var starting sync.RWMutex

// A library is an embedded server with one neighbor, the gate.
type library struct {
	n        bgp.Neighbor
	s        *server.BgpServer
	at       netip.AddrPort // where it listens
	gate     netip.Addr     // where the gate connects from
	password string
	armed    bool // the gate may connect
}

// newLibrary starts a server that has the paths and no neighbor yet.
func newLibrary(n bgp.Neighbor, paths []bgp.Path) (*library, error) {
	l := &library{n: n, password: rand.Text(), s: server.NewBgpServer(server.LoggerOption(slog.New(slog.DiscardHandler), nil))}
	go l.s.Serve()
	if err := l.start(); err != nil {
		l.s.Stop()
		return nil, err
	}
	if err := errors.Join(l.announce(paths), l.arm()); err != nil {
		l.s.Stop()
		return nil, err
	}
	return l, nil
}

// start has the server listen on an address that is free.
func (l *library) start() error {
	starting.Lock()
	defer starting.Unlock()
	var err error
	for range ports {
		l.at = netip.AddrPortFrom(loopback(), uint16(49152+number(1<<16-49152)))
		l.gate = loopback()
		err = l.s.StartBgp(context.Background(), &api.StartBgpRequest{Global: &api.Global{
			Asn: l.n.MyASN, RouterId: l.n.RouterID.String(),
			ListenPort: int32(l.at.Port()), ListenAddresses: []string{l.at.Addr().String()},
			// Of each family there are two tables, of 0.2 MB when empty.
			Families: []uint32{ipv4Unicast, ipv6Unicast},
		}})
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("start GoBGP: %w", err)
}

// loopback returns some address of 127.0.0.0/8 that is not 127.0.x.y.
func loopback() netip.Addr {
	n := number(1 << 16)
	return netip.AddrFrom4([4]byte{127, byte(1 + number(254)), byte(n >> 8), byte(1 + n%254)})
}

// number returns a random number less than n.
func number(n int64) int64 {
	k, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic("gobgp: " + err.Error()) // crypto/rand does not fail
	}
	return k.Int64()
}

// arm makes the server ready for one connection of the gate, if it is not.
func (l *library) arm() error {
	if l.armed {
		return nil
	}
	n := l.n
	err := l.s.AddPeer(context.Background(), &api.AddPeerRequest{Peer: &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: l.gate.String(), PeerAsn: n.PeerASN, LocalAsn: n.MyASN, AuthPassword: l.password},
		Transport: &api.Transport{PassiveMode: true},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: uint64(n.HoldTime.Seconds()), KeepaliveInterval: uint64(n.KeepaliveTime.Seconds()),
		}},
		// Towards the gate always: the end-of-RIB marker tells it that the routes
		// have been sent.
		GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: restartTime},
		AfiSafis:        []*api.AfiSafi{afiSafi(api.Family_AFI_IP), afiSafi(api.Family_AFI_IP6)},
	}})
	if err != nil {
		return fmt.Errorf("add the neighbor to GoBGP: %w", err)
	}
	l.armed = true
	return nil
}

func afiSafi(afi api.Family_Afi) *api.AfiSafi {
	return &api.AfiSafi{
		Config:            &api.AfiSafiConfig{Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}, Enabled: true},
		MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
	}
}

// disarm forgets the gate, and all state of its connection.
func (l *library) disarm() error {
	l.armed = false
	return l.s.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: l.gate.String()})
}

// announce adds paths, or replaces them.
func (l *library) announce(paths []bgp.Path) error {
	all, err := libraryPaths(paths, l.n)
	if err != nil {
		return err
	}
	starting.RLock()
	defer starting.RUnlock()
	for len(all) > 0 {
		k := min(batch, len(all))
		if _, err := l.s.AddPath(apiutil.AddPathRequest{Paths: all[:k]}); err != nil {
			return fmt.Errorf("add paths to GoBGP: %w", err)
		}
		all = all[k:]
	}
	return nil
}

// withdraw removes the paths of prefixes.
func (l *library) withdraw(prefixes []netip.Prefix) error {
	all := make([]*apiutil.Path, 0, len(prefixes))
	for _, p := range prefixes {
		lp, err := nlri(p)
		if err != nil {
			return err
		}
		lp.Withdrawal = true
		all = append(all, lp)
	}
	starting.RLock()
	defer starting.RUnlock()
	for len(all) > 0 {
		k := min(batch, len(all))
		if err := l.s.DeletePath(apiutil.DeletePathRequest{Paths: all[:k]}); err != nil {
			return fmt.Errorf("delete paths from GoBGP: %w", err)
		}
		all = all[k:]
	}
	return nil
}

// stop ends the server.
func (l *library) stop() { l.s.Stop() }
