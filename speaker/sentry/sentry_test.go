package sentry

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldlb/herald/speaker/bfd"
)

// A fakeWatcher has sessions whose state a test sets.
type fakeWatcher struct {
	changedC chan struct{}
	failC    chan error

	mu     sync.Mutex
	want   []bfd.Session
	states map[string]bfd.Status // by name
	err    error                 // of Set
}

func (w *fakeWatcher) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.failC:
		return err
	}
}

func (w *fakeWatcher) Set(_ context.Context, want []bfd.Session) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want = want
	return w.err
}

func (w *fakeWatcher) Status() []bfd.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []bfd.Status
	for _, s := range w.want {
		st, ok := w.states[s.Name]
		if !ok {
			st = bfd.Status{State: bfd.Down}
		}
		st.Session = s
		out = append(out, st)
	}
	return out
}

func (w *fakeWatcher) Changed() <-chan struct{} { return w.changedC }

// sessions returns the names of those that are wanted.
func (w *fakeWatcher) sessions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.want {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	return out
}

// A rig is a Sentry of node "a" that runs on a fake watcher, among nodes whose
// kernels answer, or do not.
type rig struct {
	*Sentry
	t        *testing.T
	watcher  *fakeWatcher
	registry *prometheus.Registry
	end      func() error

	mu   sync.Mutex
	dead map[netip.Addr]outcome // what is not Answered, after 60 ms
}

// members are those of a rig.
var members = map[string]netip.Addr{
	"a": netip.MustParseAddr("192.0.2.1"), "b": netip.MustParseAddr("192.0.2.2"), "c": netip.MustParseAddr("192.0.2.3"),
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t: t, dead: map[netip.Addr]outcome{}, registry: prometheus.NewRegistry(),
		watcher: &fakeWatcher{changedC: make(chan struct{}, 1), failC: make(chan error), states: map[string]bfd.Status{}},
	}
	r.Sentry = New(Config{Node: "a", Addr: members["a"], Port: 7946, Registerer: r.registry})
	r.Sentry.watcher, r.ask = r.watcher, r.kernel
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	r.end = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = r.end() })
	r.SetMembers(members)
	synctest.Wait()
	return r
}

// kernel is asked.
func (r *rig) kernel(local netip.Addr, remote netip.AddrPort) outcome {
	r.mu.Lock()
	o, ok := r.dead[remote.Addr()]
	r.mu.Unlock()
	if local != members["a"] || remote.Port() != 7946 {
		r.t.Errorf("%v asked from %v, want port 7946 from %v", remote, local, members["a"])
	}
	if ok {
		<-time.After(60 * time.Millisecond)
		return o
	}
	return outcomeAnswered
}

func (r *rig) kill(o outcome, nodes ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range nodes {
		r.dead[members[n]] = o
	}
}

// is sets the state of the session with nodes.
func (r *rig) is(s bfd.Status, nodes ...string) {
	r.watcher.mu.Lock()
	for _, n := range nodes {
		r.watcher.states[n] = s
	}
	r.watcher.mu.Unlock()
	token(r.watcher.changedC)
	synctest.Wait()
}

// up has sessions be up for a while, which is what it takes to be judged.
func (r *rig) up(nodes ...string) {
	r.is(bfd.Status{State: bfd.Up, LastReceived: time.Now()}, nodes...)
	<-time.After(200 * time.Millisecond)
	synctest.Wait()
}

// expiredNow is a session whose last packet came a detection time ago.
func expiredNow() bfd.Status {
	return bfd.Status{State: bfd.Down, Diagnostic: bfd.DetectionTimeExpired, LastReceived: time.Now().Add(-150 * time.Millisecond)}
}

// silentAfter checks who is silent after a time.
func (r *rig) silentAfter(d time.Duration, want ...string) {
	r.t.Helper()
	<-time.After(d)
	synctest.Wait()
	if diff := cmp.Diff(want, r.Silent(), cmpopts.EquateEmpty()); diff != "" {
		r.t.Fatalf("silent (-want +got):\n%s", diff)
	}
}

// series returns the metrics as lines; of histograms, the count and the sum.
func (r *rig) series() string {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				line += fmt.Sprintf(" %d %.3f", h.GetSampleCount(), h.GetSampleSum())
			} else {
				line += fmt.Sprintf(" %g", m.GetGauge().GetValue()+m.GetCounter().GetValue())
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		if diff := cmp.Diff([]string{"b", "c"}, r.watcher.sessions()); diff != "" {
			t.Fatalf("sessions (-want +got):\n%s", diff)
		}
		r.up("b", "c")
		r.kill(outcomeUnanswered, "b")
		r.is(expiredNow(), "b")
		r.silentAfter(59 * time.Millisecond)
		r.silentAfter(time.Millisecond, "b")
		select {
		case <-r.Changed():
		default:
			t.Error("no token after a node became silent")
		}
		want := strings.Join([]string{
			metricConfirmations + " Answered 2", metricConfirmations + " Unanswered 1", metricConfirmations + " Unknown 0",
			metricDetection + " 1 0.210",
			metricSessionUp + " b 0", metricSessionUp + " c 1", metricSilent + " b 1", metricSilent + " c 0",
		}, "\n")
		if diff := cmp.Diff(want, r.series()); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
		// Members bury it.
		r.SetMembers(map[string]netip.Addr{"a": members["a"], "c": members["c"]})
		r.silentAfter(0)
		if diff := cmp.Diff([]string{"c"}, r.watcher.sessions()); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		if got := r.series(); strings.Contains(got, " b ") {
			t.Errorf("series of a node that is not watched any more:\n%s", got)
		}
	})
}

func TestSilentNoMore(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rig)
	}{
		{"up", func(r *rig) { r.is(bfd.Status{State: bfd.Up, LastReceived: time.Now()}, "b") }},
		{"a packet", func(r *rig) { r.is(bfd.Status{State: bfd.Init, LastReceived: time.Now()}, "b") }},
		{"its kernel", func(r *rig) { r.mu.Lock(); clear(r.dead); r.mu.Unlock(); <-time.After(200 * time.Millisecond) }},
		{"another address", func(r *rig) {
			r.SetMembers(map[string]netip.Addr{"a": members["a"], "b": netip.MustParseAddr("192.0.2.9")})
		}},
		{"this node left", func(r *rig) { r.SetMembers(map[string]netip.Addr{"b": members["b"], "c": members["c"]}) }},
		{"too long", func(*rig) { <-time.After(tenure + 2*DefaultInterval) }},
		{"end", func(r *rig) {
			if err := r.end(); err != nil {
				r.t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.up("b", "c")
				r.kill(outcomeUnanswered, "b")
				r.is(expiredNow(), "b")
				r.silentAfter(70*time.Millisecond, "b")
				tt.do(r)
				r.silentAfter(0)
			})
		})
	}
}

func TestNeverSilent(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rig)
	}{
		{"speaker killed", func(r *rig) { r.up("b"); r.is(expiredNow(), "b") }},
		{"speaker stopped", func(r *rig) {
			r.up("b")
			r.kill(outcomeUnanswered, "b")
			r.is(bfd.Status{State: bfd.Down, Diagnostic: bfd.NeighborDown, RemoteState: bfd.AdminDown}, "b")
		}},
		{"not up before", func(r *rig) { r.kill(outcomeUnanswered, "b"); r.is(expiredNow(), "b") }},
		{"port filtered", func(r *rig) { r.kill(outcomeUnanswered, "b"); r.up("b"); r.is(expiredNow(), "b") }},
		{"no route", func(r *rig) { r.up("b"); r.kill(outcomeUnknown, "b"); r.is(expiredNow(), "b") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.do(r)
				r.silentAfter(time.Minute)
				if strings.Contains(r.series(), metricDetection+" 1") {
					t.Errorf("was silent:\n%s", r.series())
				}
			})
		})
	}
}

// A node that is cut off sees all others silent, and knows from the first one on
// that it may be its own fault.
func TestAlone(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rig)
		want bool
		who  []string
	}{
		{"all at once", func(r *rig) { r.up("b", "c"); r.kill(outcomeUnanswered, "b", "c"); r.is(expiredNow(), "b", "c") }, true, []string{"b", "c"}},
		{"the first of all", func(r *rig) {
			r.up("b", "c")
			r.kill(outcomeUnanswered, "b", "c")
			r.is(expiredNow(), "b")
			<-time.After(50 * time.Millisecond)
			r.is(expiredNow(), "c")
		}, true, []string{"b"}},
		{"one of two", func(r *rig) { r.up("b", "c"); r.kill(outcomeUnanswered, "b"); r.is(expiredNow(), "b") }, false, []string{"b"}},
		{"a kernel answers", func(r *rig) { r.up("b", "c"); r.kill(outcomeUnanswered, "b"); r.is(expiredNow(), "b", "c") }, false, []string{"b"}},
		{"the other was not up", func(r *rig) { r.up("b"); r.kill(outcomeUnanswered, "b"); r.is(expiredNow(), "b") }, false, []string{"b"}},
		{"the only one", func(r *rig) {
			r.SetMembers(map[string]netip.Addr{"a": members["a"], "b": members["b"]})
			r.up("b")
			r.kill(outcomeUnanswered, "b")
			r.is(expiredNow(), "b")
		}, false, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.do(r)
				select { // b is silent 60 ms after its session expired
				case <-r.Changed():
				case <-time.After(time.Second):
				}
				r.silentAfter(0, tt.who...)
				if got := r.Alone(); got != tt.want {
					t.Errorf("alone: %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// What BFD cannot serve is logged, and no reason to end.
func TestSetFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.watcher.mu.Lock()
		r.watcher.err = errors.New("port in use")
		r.watcher.mu.Unlock()
		r.SetMembers(members)
		r.silentAfter(time.Second)
	})
}

func TestWatcherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		want := errors.New("out of luck")
		r.watcher.failC <- want
		synctest.Wait()
		if err := r.end(); !errors.Is(err, want) {
			t.Errorf("Start = %v, want %v", err, want)
		}
	})
}

func TestPortRefused(t *testing.T) {
	for _, port := range []int{-1, 0, 65535, 70000} {
		if err := New(Config{Node: "a", Port: port}).Start(t.Context()); err == nil {
			t.Errorf("port %d: Start = nil, want an error", port)
		}
	}
}

// No two sessions go to one address, and none to our own.
func TestPlanAddresses(t *testing.T) {
	s := New(Config{Node: "a", Addr: members["a"], Port: 7946})
	s.SetMembers(map[string]netip.Addr{
		"a": members["a"], "b": members["b"], "b-again": members["b"], "a-before": members["a"], "nowhere": {},
		"mapped": netip.AddrFrom16(members["c"].As16()),
	})
	want := map[string]netip.Addr{"b": members["b"], "mapped": members["c"]}
	if diff := cmp.Diff(want, s.plan(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestNoGoroutineLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s := New(Config{Node: "a", Addr: netip.MustParseAddr("127.0.0.1"), Port: 17046})
		s.SetMembers(map[string]netip.Addr{"a": netip.MustParseAddr("127.0.0.1"), "b": netip.MustParseAddr("127.0.0.2")})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := s.Start(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
	limit := time.After(10 * time.Second)
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-pause.C:
		case <-limit:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
