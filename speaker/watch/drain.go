package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/go-kit/log/level"
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
// announced. No pass is made any more once it has been called.
func (w *World) Drain(ctx context.Context) error {
	w.appoint(ctx)
	led := len(w.Layer2.Led())
	successors := othersAlive(w.Members.Alive(), w.Node)
	level.Info(w.Logger).Log("msg", "leaving", "count", led)
	w.Sentry.SetMembers(nil)
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
	return errors.Join(errs...)
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
