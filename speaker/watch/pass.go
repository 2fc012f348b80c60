package watch

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/speaker/desired"
)

// Reconcile makes one pass: it reads the cluster from the cache, decides, and
// drives the announcer. It never waits for the API server. It retries by
// itself and returns no error.
func (w *World) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if !w.pace(ctx) {
		return reconcile.Result{}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.drained {
		return reconcile.Result{}, nil
	}
	began := time.Now()
	w.began.Store(began.UnixNano())
	defer w.began.Store(0)

	next := w.pass(ctx, began)
	w.budget.spend(began, time.Since(began))
	return reconcile.Result{RequeueAfter: next}, nil
}

// pace waits until the budget allows a pass, which bounds the share of a
// processor that a storm of events costs, unless there is hurry. It reports
// whether to go on.
func (w *World) pace(ctx context.Context) bool {
	w.mu.Lock()
	rest := w.budget.wait(time.Now())
	w.mu.Unlock()
	if rest <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-w.urgentC:
	}
	return true
}

// facts are what a pass has read of the cluster.
type facts struct {
	hosts []host
	uid   types.UID // of the own Node
	alive map[string]bool
}

// pass makes a pass at the time now, and returns when to make the next one if
// nothing else asks for it; zero for never.
func (w *World) pass(ctx context.Context, now time.Time) time.Duration {
	var errs failures
	f, err := w.read(ctx)
	if errs.add(stepRead, err) {
		// Nothing is known to have changed, so nothing changes.
		return w.settle(errs, 0)
	}
	errs.add(stepKey, w.join(ctx))
	errs.add(stepConfig, w.configure(ctx, now))
	errs.add(stepLinks, w.refreshLinks())

	wait := w.start.advance(now, w.key != nil, closed(w.Members.Settled()))
	w.stage.Store(int64(w.start.stage))
	if w.start.stage != stageOpen {
		errs.add(stepBGP, w.speakEarly(ctx, f.hosts, now))
		w.metrics.reconcile.Observe(time.Since(now).Seconds())
		return w.settle(errs, wait)
	}

	f.alive = w.Members.Alive()
	settled := w.follow(now, f.alive)
	claims := w.Members.Claims()
	believed, unsure := w.heard.pass(now, f.alive, claims)
	in := w.input(f.hosts, believed, now)
	in.Claims = claims
	state := w.computer.Compute(in)
	allowed, release := w.hold.pass(surroundings{
		now:      now,
		others:   othersAlive(f.alive, w.Node),
		expected: othersAmong(w.peers, w.Node),
		links:    w.links,
	}, state.Layer2)
	over, err := w.announce(ctx, now, allowed, &state)
	errs.add(stepAnnounce, err)
	errs.add(stepBGP, w.speak(ctx, &state))

	w.logChanges(&state, allowed)
	w.announced = allowed
	expiry := w.report(f, now)
	w.metrics.pass(time.Since(now), len(w.catalogue.services), &state, len(allowed))
	return w.settle(errs, earliest(now, settled, unsure, release, over, expiry, w.recall.expiry()))
}

// steadyAfter is how long the same speakers must have been alive for each to
// have heard what all the others know.
const steadyAfter = 3 * time.Second

// follow takes note of who is alive, and returns when they count as steady;
// zero when they do.
func (w *World) follow(now time.Time, alive map[string]bool) time.Time {
	if w.alive == nil || !maps.Equal(w.alive, alive) {
		w.alive, w.changed = alive, now
	}
	if at := w.changed.Add(steadyAfter); now.Before(at) {
		return at
	}
	return time.Time{}
}

// input returns what decisions depend on, given who is alive.
func (w *World) input(hosts []host, alive map[string]bool, now time.Time) desired.Input {
	return desired.Input{
		Node:      w.Node,
		Config:    w.config,
		Services:  w.catalogue.services,
		Nodes:     judge(hosts, alive),
		Alive:     alive,
		Expected:  othersAmong(w.peers, w.Node) + 1,
		Links:     w.links,
		PeerLinks: w.Members.Links(),
		Claims:    w.Members.Claims(),
		Steady:    now.Sub(w.changed) >= steadyAfter,
	}
}

// read lists what the cluster has, from the cache, and brings the catalogue
// and the peers up to date. The objects are those of the cache: they are not
// written, and let go before the pass ends.
func (w *World) read(ctx context.Context) (facts, error) {
	var (
		nodes corev1.NodeList
		f     facts
	)
	if err := w.readServices(ctx); err != nil {
		return f, err
	}
	if err := w.cluster.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return f, fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		h := hostOf(&nodes.Items[i])
		f.hosts = append(f.hosts, h)
		if h.Name == w.Node {
			f.uid = nodes.Items[i].UID
		}
	}
	peers := peersOf(w.backends.of(w.serviceName()))
	if w.peers == nil || !slices.Equal(w.peers, peers) {
		w.peers = append([]Peer{}, peers...)
		w.Members.SetPeers(slices.Clone(peers))
	}
	return f, nil
}

// join hands the gossip key over when it has changed. A key that is gone stays
// in force: the speakers that have it must go on hearing each other.
func (w *World) join(ctx context.Context) error {
	var secret corev1.Secret
	err := w.cluster.Get(ctx, w.secretName(), &secret)
	key := secret.Data[kube.MemberlistKey]
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("read secret %s: %w", w.secretName(), err)
	case len(key) == 0 && w.key != nil:
		return nil
	case err != nil:
		return fmt.Errorf("secret %s: not found; nothing is announced without the key %q in it",
			w.secretName(), kube.MemberlistKey)
	case len(key) == 0:
		return fmt.Errorf("secret %s: no key %q in it; nothing is announced without", w.secretName(), kube.MemberlistKey)
	case bytes.Equal(key, w.key):
		return nil
	}
	if err := w.Members.SetKey(key); err != nil {
		return fmt.Errorf("gossip key of secret %s: %w", w.secretName(), err)
	}
	w.key = bytes.Clone(key)
	return nil
}

// refreshLinks lists the links again if they may have changed. Without an
// answer the last one stays.
func (w *World) refreshLinks() error {
	if !w.linksStale.Swap(false) {
		return nil
	}
	links, err := w.Links()
	if err != nil {
		w.linksStale.Store(true)
		return fmt.Errorf("list links: %w", err)
	}
	w.links = w.networks.pass(links)
	w.Members.SetLinks(w.links)
	return nil
}

// closed reports whether a channel that carries nothing is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// earliest returns how long after now the first of some times is, leaving out
// those that are zero; zero when none is left.
func earliest(now time.Time, times ...time.Time) time.Duration {
	var first time.Duration
	for _, t := range times {
		if t.IsZero() {
			continue
		}
		if d := max(t.Sub(now), time.Millisecond); first == 0 || d < first {
			first = d
		}
	}
	return first
}
