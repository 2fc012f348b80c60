package pause

import (
	"context"
	"time"
)

// For waits for d, and reports whether ctx had not ended before. A d that is not
// positive is over at once.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
