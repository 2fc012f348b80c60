package watch

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/desired"
)

// fakeBGP is BGP by hand.
type fakeBGP struct {
	mu       sync.Mutex
	set      desired.BGP
	sets     int
	err      error
	sessions []BGPSession
	changedC chan struct{}
	// left has the keep of each Leave, which takes as long as leaving.
	left    []bool
	leaving time.Duration
}

func newFakeBGP() *fakeBGP { return &fakeBGP{changedC: make(chan struct{}, 1)} }

func (f *fakeBGP) Set(_ context.Context, want desired.BGP) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set, f.sets = want, f.sets+1
	return f.err
}

func (f *fakeBGP) Sessions() []BGPSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions
}

func (f *fakeBGP) Changed() <-chan struct{} { return f.changedC }

func (f *fakeBGP) Leave(ctx context.Context, keep bool) error {
	f.left = append(f.left, keep)
	if !pause.For(ctx, f.leaving) {
		return ctx.Err()
	}
	return f.err
}

// change makes a session all that there is.
func (f *fakeBGP) change(s BGPSession) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = []BGPSession{s}
	hurry(f.changedC)
}

// routes returns the prefixes of the last Set.
func (f *fakeBGP) routes() string {
	var out []string
	for _, r := range f.set.Routes {
		out = append(out, r.Prefix.String())
	}
	return strings.Join(out, " ")
}

// routed are the objects that have the Service of the bench announced by BGP.
func routed() []client.Object {
	return []client.Object{
		&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}},
		&v1beta1.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: "tor", UID: "uid-of-tor"},
			Spec:       v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: 64513, PeerAddress: "10.9.0.1", PasswordSecret: "tor"},
		},
		passwordOf("tor", "one"),
	}
}

func passwordOf(name, password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "herald-system", Name: name},
		Data:       map[string][]byte{kube.PasswordKey: []byte(password)},
	}
}

// Routes follow the cluster, a new password included, and a failure of one way
// to announce does not stop the other.
func TestPassSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, routed()...)
		b.layer2.err = errors.New("permission denied")
		b.reconcile(t)
		if got := b.bgp.routes(); got != "192.0.2.1/32" || b.bgp.set.Sessions[0].Password != "one" {
			t.Errorf("routes %q, sessions %+v", got, b.bgp.set.Sessions)
		}
		b.layer2.err = nil
		elapse(steadyAfter)

		rotated := passwordOf("tor", "two")
		if err := b.api.Update(t.Context(), rotated); err != nil {
			t.Fatal(err)
		}
		if !objects().Update(change(passwordOf("tor", "one"), rotated)) {
			t.Error("a Secret that changed asks for no pass")
		}
		b.configStale.Store(true)
		b.bgp.err = errors.New("no socket")
		if next := b.reconcile(t); next == 0 {
			t.Error("a set that failed is not tried again")
		}
		if got := b.bgp.set.Sessions[0].Password; got != "two" {
			t.Errorf("password %q after it was rotated", got)
		}
		b.expect(t, "no BGP", "192.0.2.1")
		b.bgp.err = nil
		if next := b.reconcile(t); next != 0 {
			t.Errorf("next pass after %v, want none", next)
		}

		if err := b.api.Status().Update(t.Context(), node("a", excluded)); err != nil {
			t.Fatal(err)
		}
		n := node("a", excluded)
		if err := b.api.Update(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		b.reconcile(t)
		if got := b.bgp.routes(); got != "" || len(b.bgp.set.Sessions) != 1 {
			t.Errorf("excluded: routes %q, %d sessions; want none, one", got, len(b.bgp.set.Sessions))
		}
	})
}

// A speaker that starts announces by BGP at once, without the gossip key and the
// other speakers: routers that kept the routes must find them again. But not
// before the configuration has been read.
func TestPassSpeaksEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, routed()...)
		b.members.settledC = make(chan struct{})
		if err := b.api.Delete(t.Context(), secret("one")); err != nil {
			t.Fatal(err)
		}
		b.cluster = blind{b.api}
		b.reconcile(t)
		if b.bgp.sets != 0 {
			t.Errorf("%d sets without a configuration", b.bgp.sets)
		}
		b.cluster = b.api
		b.reconcile(t)
		if got := b.bgp.routes(); got != "192.0.2.1/32" || b.layer2.sets != 0 {
			t.Errorf("without the key: routes %q, %d sets in layer 2; want one, none", got, b.layer2.sets)
		}
		if len(b.members.Claims().Of(netip.MustParseAddr("192.0.2.1")).Node) != 0 {
			t.Error("an early pass made claims")
		}
		if err := b.api.Create(t.Context(), secret("one")); err != nil {
			t.Fatal(err)
		}
		b.reconcile(t)
		close(b.members.settledC)
		b.reconcile(t)
		b.expect(t, "open", "192.0.2.1")
		if got := b.bgp.routes(); got != "192.0.2.1/32" || b.bgp.sets != 3 {
			t.Errorf("open: routes %q in %d sets", got, b.bgp.sets)
		}
	})
}

// blind is a reader that cannot list BGPPeers.
type blind struct{ client.Reader }

func (r blind) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if _, ok := l.(*v1beta1.BGPPeerList); ok {
		return errors.New("no")
	}
	return r.Reader.List(ctx, l, opts...)
}

// A session that changes is reported without a pass, with what the last pass
// found.
func TestSessionsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, routed()...)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.followRouters(ctx) }()

		hurry(b.bgp.changedC)
		synctest.Wait() // there is no report yet
		b.reconcile(t)
		sets := b.layer2.sets
		since := time.Unix(1000, 0)
		b.bgp.change(BGPSession{
			Peer: "tor", Address: netip.MustParseAddr("10.9.0.1"), State: established, Since: since, PrefixesSent: 1,
			BFD: &BFDSession{
				Profile: "fast", State: "Up", Since: since, Diagnostic: "none",
				Transmit: 50 * time.Millisecond, Receive: 60 * time.Millisecond, Detection: 150 * time.Millisecond,
			},
		})
		synctest.Wait()
		got := b.publisher.latest.Load().status
		want := got
		want.Summary = v1beta1.SpeakerSummary{Members: 1, Layer2Addresses: 1, BGPSessions: 1, BGPEstablished: 1}
		want.BGPSessions = []v1beta1.BGPSessionStatus{
			{Peer: "tor", Address: "10.9.0.1", State: established, Since: metav1.NewTime(since), PrefixesSent: 1},
		}
		want.BFDSessions = []v1beta1.BFDSessionStatus{{
			Peer: "tor", Profile: "fast", Address: "10.9.0.1", State: "Up", Since: metav1.NewTime(since), Diagnostic: "none",
			DetectionTime: 150, TransmitInterval: 50, ReceiveInterval: 60,
		}}
		if diff := cmp.Diff(want, got); diff != "" || len(got.Layer2) != 1 || b.layer2.sets != sets {
			t.Errorf("%d addresses, %d more passes, status (-want +got):\n%s", len(got.Layer2), b.layer2.sets-sets, diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A status has as many refusals as there is room for, and counts all; an error
// of a router is cut between characters.
func TestReportBounds(t *testing.T) {
	refused := make([]desired.Refusal, maxRefusals+1)
	r := reportOf(telling{refused: refused, sessions: []BGPSession{{Peer: "tor", LastError: strings.Repeat("ä", maxError)}}})
	if n := len(r.status.BGPRefusals); n != maxRefusals || r.status.Summary.BGPRefusals != maxRefusals+1 {
		t.Errorf("%d refusals shown, %d counted", n, r.status.Summary.BGPRefusals)
	}
	text := r.status.BGPSessions[0].LastError
	if len(text) > maxError || !strings.HasSuffix(text, "ä…") {
		t.Errorf("%d bytes, the last %q", len(text), text[len(text)-8:])
	}
}

// Events come when a session goes up or down, each once; one that is being made
// again after a start, and comes up, is no news.
func TestSessionEvents(t *testing.T) {
	of := func(states ...string) *report {
		var sessions []BGPSession
		for _, s := range states {
			peer, state, _ := strings.Cut(s, " ")
			state, err, _ := strings.Cut(state, ": ")
			sessions = append(sessions, BGPSession{Peer: peer, Address: netip.MustParseAddr("10.9.0.1"), State: state, LastError: err})
		}
		return reportOf(telling{node: "a", sessions: sessions, routers: map[string]corev1.ObjectReference{"tor": {Name: "tor"}, "new": {Name: "new"}}})
	}
	known := newRoll(of("tor Established", "old Established").status.BGPSessions)
	steps := []struct {
		report *report
		want   []string
	}{
		{of("tor Connect", "new Connect"), nil},
		{of("tor Established", "new Active: connection refused"), []string{"new SessionDown"}},
		{of("tor Established: hold timer expired", "new Active: connection refused"), nil},
		{of("tor Idle: hold timer expired", "new Established: connection refused"), []string{"tor SessionDown", "new SessionUp"}},
		{of("tor Active: no route"), nil},
		{of("tor Established: no route", "new Established"), []string{"tor SessionUp", "new SessionUp"}},
		{of("tor Established", "stranger Established"), nil},
	}
	for i, step := range steps {
		var got []string
		for _, n := range known.call(step.report) {
			got = append(got, n.Regarding.Name+" "+n.Reason)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}
