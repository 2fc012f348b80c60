package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
)

// Bounds on a graceful stop.
const (
	leaveTimeout = 500 * time.Millisecond
	drainTimeout = 3 * time.Second
)

// Drain ends the announcements of this node make-before-break: it tells the
// other speakers that this one leaves, so that they elect successors, and goes
// on answering for each address until its successor has claimed it, for a few
// seconds at most. It waits for nobody when nobody else is alive or nothing is
// announced. No pass is made any more once it has been called.
func (w *World) Drain(ctx context.Context) error {
	w.mu.Lock()
	w.drained = true
	w.mu.Unlock()

	led := len(w.Layer2.Led())
	successors := othersAlive(w.Members.Alive(), w.Node)
	level.Info(w.Logger).Log("msg", "leaving", "count", led)
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
