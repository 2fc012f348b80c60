package members

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	testPort   = 17946
	testSecret = "a secret that all of them know"
	// patience is for what must happen at all, however slow the machine.
	patience = 20 * time.Second
)

// addresses counts those of the loopback network that tests have used.
var addresses atomic.Uint32

// address returns a loopback address that no other test listens on, of this
// process or, most likely, another.
func address() netip.Addr {
	n := addresses.Add(1)
	return netip.AddrFrom4([4]byte{127, byte(1 + os.Getpid()%250), byte(n / 250), byte(1 + n%250)})
}

// A station is a List that runs.
type station struct {
	*List
	peer Peer
	stop func() // ends Start and returns once it has
}

// A world is the network that the stations of a test share. It can be cut: then
// each side reaches itself alone.
type world struct {
	t     testing.TB
	pace  pace
	label string
	// profile is that of all its stations.
	profile Profile
	logs    syncBuffer

	mu    sync.Mutex
	sides map[string]int // by host; those not named are on side 0
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{t: t, pace: defaultPace, sides: map[string]int{}}
}

// put puts hosts on a side.
func (w *world) put(side int, stations ...*station) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range stations {
		w.sides[s.peer.Addr.String()] = side
	}
}

// cut reports whether two hosts cannot reach each other.
func (w *world) cut(a, b string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sides[a] != w.sides[b]
}

// list returns a List of this world that does not run.
func (w *world) list(p Peer) *List {
	l := New(Config{
		Node: p.Node, Addr: p.Addr, Port: testPort, Label: w.label, Profile: w.profile,
		Logger: log.NewLogfmtLogger(&w.logs), Registerer: prometheus.NewRegistry(),
	})
	l.pace = w.pace
	l.transport = func(c *memberlist.Config) (memberlist.Transport, error) {
		t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort, Logger: c.Logger,
		})
		if err != nil {
			return nil, err
		}
		return &cable{NetTransport: t, world: w, host: c.BindAddr}, nil
	}
	return l
}

// start runs a List with a secret; it ends with the test at the latest.
func (w *world) start(p Peer, secret string) *station {
	w.t.Helper()
	l := w.list(p)
	if err := l.SetKey([]byte(secret)); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Start(ctx) }()
	s := &station{List: l, peer: p}
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Start of %s: %v", p.Node, err)
		}
	})
	w.t.Cleanup(s.stop)
	return s
}

// cluster runs n stations that know each other, and waits until all see all.
func (w *world) cluster(n int) []*station {
	w.t.Helper()
	var out []*station
	var peers []Peer
	for i := range n {
		peers = append(peers, Peer{Node: fmt.Sprintf("node-%d", i), Addr: address()})
	}
	for _, p := range peers {
		out = append(out, w.start(p, testSecret))
	}
	for _, s := range out {
		s.SetPeers(peers)
	}
	for _, s := range out {
		w.await(s, names(out...)...)
	}
	return out
}

// names returns those of the nodes of stations.
func names(stations ...*station) []string {
	var out []string
	for _, s := range stations {
		out = append(out, s.peer.Node)
	}
	return out
}

// await waits until exactly the given nodes are alive at a station.
func (w *world) await(s *station, nodes ...string) {
	w.t.Helper()
	want := map[string]bool{}
	for _, n := range nodes {
		want[n] = true
	}
	limit := time.After(patience)
	for {
		diff := cmp.Diff(want, s.Alive())
		if diff == "" {
			return
		}
		select {
		case <-s.Changed():
		case <-limit:
			w.t.Fatalf("alive at %s (-want +got):\n%s%s", s.peer.Node, diff, w.logs.String())
		}
	}
}

// settle waits until a station has settled.
func (w *world) settle(s *station) {
	w.t.Helper()
	select {
	case <-s.Settled():
	case <-time.After(patience):
		w.t.Fatalf("%s does not settle", s.peer.Node)
	}
}

// A cable connects a host to its world.
type cable struct {
	*memberlist.NetTransport
	world *world
	host  string
}

var _ memberlist.NodeAwareTransport = (*cable)(nil)

var errCut = errors.New("cable is cut")

// WriteToAddress implements memberlist.NodeAwareTransport.
func (c *cable) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if c.cut(a.Addr) {
		return time.Now(), nil
	}
	return c.NetTransport.WriteToAddress(b, a)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (c *cable) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if c.cut(a.Addr) {
		<-time.After(timeout)
		return nil, errCut
	}
	return c.NetTransport.DialAddressTimeout(a, timeout)
}

func (c *cable) cut(to string) bool {
	host, _, err := net.SplitHostPort(to)
	return err != nil || c.world.cut(c.host, host)
}

// A syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
