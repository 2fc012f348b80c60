package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Bounds on a graceful stop.
const (
	leaveTimeout = 500 * time.Millisecond
	drainTimeout = 3 * time.Second
)

// Drain ends the announcements of this node make-before-break: it appoints
// successors, tells the other speakers that this one leaves, and goes on
// answering for each address until its successor has claimed it, for a few
// seconds at most. It waits for nobody when nobody else is alive or nothing is
// announced. Meanwhile it takes leave of the routers, see remains. No pass is
// made any more once it has been called.
func (w *World) Drain(ctx context.Context) error {
	w.appoint(ctx)
	led := len(w.Layer2.Led())
	successors := othersAlive(w.Members.Alive(), w.Node)
	level.Info(w.Logger).Log("msg", "leaving", "count", led)
	w.Sentry.SetMembers(nil)
	var routers error
	var leaving sync.WaitGroup
	leaving.Go(func() { routers = w.leaveRouters(ctx) })
	var errs []error
	if err := w.Members.Leave(leaveTimeout); err != nil {
		errs = append(errs, fmt.Errorf("leave: %w", err))
	}
	if led > 0 && successors > 0 {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		if err := w.Layer2.Drain(ctx); err != nil {
			errs = append(errs, fmt.Errorf("drain: %w", err))
		}
	}
	leaving.Wait()
	return errors.Join(append(errs, routers)...)
}

// leaveRouters ends the BGP sessions.
func (w *World) leaveRouters(ctx context.Context) error {
	if w.BGP == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	keep := w.returns(ctx)
	level.Info(w.Logger).Log("msg", "leaving routers", "reason", map[bool]string{true: "Restart", false: "Drain"}[keep])
	if err := w.BGP.Leave(ctx, keep); err != nil {
		return fmt.Errorf("leave routers: %w", err)
	}
	return nil
}

// returns reports whether a speaker is to be expected on this node again at
// once. What is not known of the node is taken for the worst.
func (w *World) returns(ctx context.Context) bool {
	if stage(w.stage.Load()) == stageCluster {
		return false // nothing has been read, and nothing announced
	}
	var node corev1.Node
	err := w.cluster.Get(ctx, client.ObjectKey{Name: w.Node}, &node)
	return err == nil && remains(&node)
}

// remains reports whether a node stays as it is when its speaker stops, so that
// another speaker will start there in a moment: as in a rolling update, and not
// in a drain or a shutdown. Routers may then keep its routes. Before a node is
// shut down it is cordoned by who drains it, or made not Ready by its kubelet,
// which is about to end all pods. On a node that is cordoned for another reason
// the price is that routes are withdrawn, and announced again.
func remains(n *corev1.Node) bool {
	return n.DeletionTimestamp.IsZero() && !n.Spec.Unschedulable && unavailable(n) == 0 &&
		condition(n, corev1.NodeReady, corev1.ConditionTrue) == corev1.ConditionTrue
}

// appoint makes the last pass: it gives all that this node holds to others. If
// it cannot, they find successors once this node has left.
func (w *World) appoint(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.drained || w.start.stage != stageOpen {
		w.drained = true
		return
	}
	w.drained = true
	f, err := w.read(ctx)
	if err != nil {
		return
	}
	alive := maps.Clone(w.Members.Alive())
	delete(alive, w.Node)
	state := w.computer.Compute(w.input(f.hosts, alive, time.Now()))
	w.Members.Claim(state.Claims)
}
