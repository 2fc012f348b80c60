package bgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// errBroken is what a fakeSession that is broken returns.
var errBroken = errors.New("broken")

// A fakeRouter is a Router whose neighbors are in memory.
type fakeRouter struct {
	t testing.TB

	mu       sync.Mutex
	sessions map[string]*fakeSession // by peer; closed ones as well
	opened   int
	// refuse makes Open fail, for these peers.
	refuse map[string]bool
	// slow is how long Close takes.
	slow time.Duration
	// locals are the ends of established sessions, by peer, as they were told.
	locals map[string]netip.Addr
	// resetC, if there is one, gets the time of each Reset.
	resetC chan time.Time
	log    []string
}

func newFakeRouter(t testing.TB) *fakeRouter {
	return &fakeRouter{t: t, locals: map[string]netip.Addr{}, sessions: map[string]*fakeSession{}, refuse: map[string]bool{}}
}

// A fakeSession is a session, and the neighbor at its other end.
type fakeSession struct {
	router   *fakeRouter
	neighbor Neighbor
	notify   func(Event)
	rib      map[netip.Prefix]Path
	// unknown are prefixes of which the caller cannot know.
	unknown map[netip.Prefix]bool
	closed  Farewell
	broken  bool
	// stall, if there is one, makes Announce wait until it is closed.
	stall chan struct{}
}

func (r *fakeRouter) Open(n Neighbor, paths []Path, notify func(Event)) (Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse[n.Name] {
		return nil, errBroken
	}
	for name, s := range r.sessions {
		if s.closed == 0 && (name == n.Name || s.neighbor.Address == n.Address && s.neighbor.VRF == n.VRF) {
			r.t.Errorf("open %s: session %s with the same router is open", n.Name, name)
		}
	}
	r.opened++
	s := &fakeSession{router: r, neighbor: n, notify: notify, rib: map[netip.Prefix]Path{}, unknown: map[netip.Prefix]bool{}}
	r.sessions[n.Name] = s
	delete(r.locals, n.Name)
	r.note("open %s", n.Name)
	s.learn(paths)
	return s, nil
}

func (r *fakeRouter) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// learn puts paths into the neighbor's table.
func (s *fakeSession) learn(paths []Path) {
	for _, p := range paths {
		if old, ok := s.rib[p.Prefix]; ok && old.same(p) && !s.unknown[p.Prefix] {
			s.router.t.Errorf("%s: %s announced twice", s.neighbor.Name, p.Prefix)
		}
		if !p.NextHop.IsValid() || p.NextHop.Is4In6() {
			s.router.t.Errorf("%s: %s with next hop %s", s.neighbor.Name, p.Prefix, p.NextHop)
		}
		s.rib[p.Prefix] = p
		delete(s.unknown, p.Prefix)
	}
}

func (s *fakeSession) Announce(paths []Path) error {
	s.router.mu.Lock()
	if stall := s.stall; stall != nil {
		s.router.mu.Unlock()
		<-stall
		s.router.mu.Lock()
	}
	defer s.router.mu.Unlock()
	s.use("announce")
	s.router.note("announce %s %d", s.neighbor.Name, len(paths))
	if s.broken {
		s.learn(paths[:len(paths)/2]) // and nobody knows how far it came
		for _, p := range paths {
			s.unknown[p.Prefix] = true
		}
		return errBroken
	}
	s.learn(paths)
	return nil
}

func (s *fakeSession) Withdraw(prefixes []netip.Prefix) error {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	s.use("withdraw")
	s.router.note("withdraw %s %d", s.neighbor.Name, len(prefixes))
	for i, p := range prefixes {
		if _, ok := s.rib[p]; !ok && !s.unknown[p] {
			s.router.t.Errorf("%s: %s withdrawn twice", s.neighbor.Name, p)
		}
		if s.broken {
			s.unknown[p] = true
		}
		if !s.broken || i < len(prefixes)/2 {
			delete(s.rib, p)
		}
		if !s.broken {
			delete(s.unknown, p)
		}
	}
	if s.broken {
		return errBroken
	}
	return nil
}

func (s *fakeSession) Reset(reason string) error {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	s.use("reset")
	s.router.note("reset %s: %s", s.neighbor.Name, reason)
	if s.router.resetC != nil {
		s.router.resetC <- time.Now()
	}
	return nil
}

func (s *fakeSession) Close(f Farewell) error {
	s.router.mu.Lock()
	s.use("close")
	s.router.note("close %s %s", s.neighbor.Name, map[Farewell]string{Cease: "cease", Keep: "keep"}[f])
	slow := s.router.slow
	s.router.mu.Unlock()
	pause.For(context.Background(), slow)
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	s.closed = f
	return nil
}

// use notes that a method was called.
func (s *fakeSession) use(method string) {
	if s.closed != 0 {
		s.router.t.Errorf("%s: %s after close", s.neighbor.Name, method)
	}
}

// tell sends an event of a session.
func (r *fakeRouter) tell(name string, ev Event) {
	r.mu.Lock()
	s := r.sessions[name]
	r.locals[name] = ev.Established.Local
	r.mu.Unlock()
	ev.At = time.Now()
	s.notify(ev)
}

// establish has a session come up; restart is what was agreed upon for graceful
// restart.
func (r *fakeRouter) establish(name string, restart time.Duration) {
	r.tell(name, Event{State: EstablishedState, Established: Established{
		IPv4: true, IPv6: true, GracefulRestart: restart,
	}})
}

// change changes how the router behaves.
func (r *fakeRouter) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

// drain returns what was done since the last time.
func (r *fakeRouter) drain() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

// open returns the names of open sessions.
func (r *fakeRouter) open() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.sessions)) {
		if r.sessions[name].closed == 0 {
			out = append(out, name)
		}
	}
	return out
}

// table returns what the neighbor of a peer has.
func (r *fakeRouter) table(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	s := r.sessions[name]
	if s == nil || s.closed != 0 {
		return nil
	}
	for _, p := range slices.SortedFunc(maps.Keys(s.rib), netip.Prefix.Compare) {
		out = append(out, describe(s.rib[p]))
	}
	return out
}

// describe returns all of a path.
func describe(p Path) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s via %s", p.Prefix, p.NextHop)
	if p.Attributes.LocalPref != nil {
		fmt.Fprintf(&b, " pref %d", *p.Attributes.LocalPref)
	}
	if p.Attributes.MED != nil {
		fmt.Fprintf(&b, " med %d", *p.Attributes.MED)
	}
	for _, c := range p.Attributes.Communities {
		fmt.Fprintf(&b, " %s", c)
	}
	return b.String()
}

// A fakeDetector is a Detector whose sessions are as the test says.
type fakeDetector struct {
	mu      sync.Mutex
	want    []bfd.Session
	sets    int
	made    uint32 // sessions so far
	status  map[string]bfd.Status
	hushed  bool
	history []string
	changed chan struct{}
}

func newFakeDetector() *fakeDetector {
	return &fakeDetector{status: map[string]bfd.Status{}, changed: make(chan struct{}, 1)}
}

func (*fakeDetector) Start(ctx context.Context) error { <-ctx.Done(); return nil }

func (d *fakeDetector) Set(_ context.Context, want []bfd.Session) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sets++
	d.want = slices.Clone(want)
	var names []string
	old := d.status
	d.status = map[string]bfd.Status{}
	for _, s := range want {
		st, ok := old[s.Name]
		if !ok || identity(st.Session) != identity(s) {
			d.made++
			st = bfd.Status{State: bfd.Down, Discriminator: d.made}
		}
		st.Session = s
		d.status[s.Name] = st
		names = append(names, s.Name)
	}
	d.history = append(d.history, "set "+strings.Join(names, " "))
	return nil
}

func (d *fakeDetector) Status() []bfd.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.status))
}

func (d *fakeDetector) Changed() <-chan struct{} { return d.changed }

func (d *fakeDetector) Hush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hushed = true
	d.history = append(d.history, "hush")
}

// flap has a session that is up go down and come up again, which nobody has seen.
func (d *fakeDetector) flap(name string) {
	d.mu.Lock()
	st := d.status[name]
	st.Since = st.Since.Add(time.Millisecond)
	d.status[name] = st
	d.mu.Unlock()
	token(d.changed)
}

// say has a session be in a state.
func (d *fakeDetector) say(name string, own, remote bfd.State, diagnostic bfd.Diagnostic) {
	d.mu.Lock()
	st := d.status[name]
	st.State, st.RemoteState, st.Diagnostic = own, remote, diagnostic
	d.status[name] = st
	d.mu.Unlock()
	token(d.changed)
}

// A fakeHost is a network with routes that the test gives.
type fakeHost struct {
	mu     sync.Mutex
	routes map[netip.Addr]netip.Addr
	heard  map[string]func(advert)
	links  []desired.Link
}

func (h *fakeHost) local(remote netip.Addr, _ string) (netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a, ok := h.routes[remote]; ok {
		return a, nil
	}
	return netip.Addr{}, fmt.Errorf("no route to %s: network is unreachable", remote)
}

func (h *fakeHost) seek(ctx context.Context, name string, _ <-chan struct{}, heard func(advert)) {
	h.mu.Lock()
	h.heard[name] = heard
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	delete(h.heard, name)
	h.mu.Unlock()
}

func (h *fakeHost) Links() ([]desired.Link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.links, nil
}

// A world is an Announcer among fakes, in a bubble of synctest.
type world struct {
	*Announcer
	t        *testing.T
	router   *fakeRouter
	detector *fakeDetector
	host     *fakeHost
	stop     func()
}

// inWorld runs a test with an Announcer that has started.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, router: newFakeRouter(t), detector: newFakeDetector(), host: &fakeHost{
			routes: map[netip.Addr]netip.Addr{addr("192.0.2.254"): addr("192.0.2.1"), addr("192.0.2.253"): addr("192.0.2.1")},
			heard:  map[string]func(advert){}, links: nodeLinks(),
		}}
		w.Announcer = newAnnouncer(Config{
			Node: "n1", Router: w.router, Links: w.host.Links, Detector: w.detector,
		}, w.host)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		w.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("start: %v", err)
			}
		})
		test(w)
		w.stop()
	})
}

// set applies what is wanted and waits until nothing moves any more.
func (w *world) set(want desired.BGP) {
	w.t.Helper()
	if err := w.Set(w.t.Context(), want); err != nil {
		w.t.Errorf("set: %v", err)
	}
	synctest.Wait()
}

// status returns the status of one peer.
func (w *world) status(name string) Status {
	w.t.Helper()
	synctest.Wait()
	for _, s := range w.Sessions() {
		if s.Peer == name {
			return s
		}
	}
	w.t.Fatalf("no session %s in %+v", name, w.Sessions())
	return Status{}
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// nodeLinks are two interfaces with addresses of both families.
func nodeLinks() []desired.Link {
	return []desired.Link{
		{Name: "eth0", Up: true, Prefixes: []netip.Prefix{
			prefix("192.0.2.1/24"), prefix("2001:db8::1/64"), prefix("fe80::1/64"),
		}},
		{Name: "eth1", Up: true, Prefixes: []netip.Prefix{prefix("198.51.100.1/24"), prefix("fe80::11/64")}},
	}
}

// peerNamed returns a peer; change may be nil.
func peerNamed(name, address string, change func(p *config.Peer)) *config.Peer {
	p := &config.Peer{
		Name: name, MyASN: 64512, PeerASN: 64513, Port: 179,
		HoldTime: 90 * time.Second, KeepaliveTime: 30 * time.Second, ConnectTime: 5 * time.Second,
	}
	if address != "" {
		p.Address = addr(address)
	}
	if change != nil {
		change(p)
	}
	return p
}

// routeTo returns a route without attributes.
func routeTo(p string, peers ...string) desired.Route {
	return desired.Route{Prefix: prefix(p), Peers: peers, Services: []string{"a/b"}, Advertisements: []string{"all"}}
}

// same reports whether a router hears the same of two paths.
func (p Path) same(o Path) bool {
	return p.Prefix == o.Prefix && p.NextHop == o.NextHop && p.Attributes.Equal(o.Attributes)
}
