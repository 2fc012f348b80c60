package drive

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/lab/router"
)

// lookTable is how often a router's BGP table is looked at.
const lookTable = 5 * time.Millisecond

// A TableWatch asks a router's BGP daemon for routes.
type TableWatch struct{ console *router.Console }

// WatchTable returns a TableWatch of a router. The caller ends it.
func (l *Lab) WatchTable(ctx context.Context, name string) (*TableWatch, error) {
	s, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Hosts, func(h Host) bool { return h.Name == name && h.Console != "" })
	if i < 0 {
		return nil, fmt.Errorf("%s is no router of the lab", name)
	}
	c, err := router.Dial(ctx, s.Hosts[i].Console)
	if err != nil {
		return nil, fmt.Errorf("router %s: %w", name, err)
	}
	return &TableWatch{console: c}, nil
}

// Seen waits until the router's table has a route for each of the addresses
// alone, and returns when it was found there, to within 5 ms.
func (w *TableWatch) Seen(ctx context.Context, addrs ...netip.Addr) (time.Time, error) {
	t := time.NewTicker(lookTable)
	defer t.Stop()
	for {
		has, err := w.console.Has(netip.PrefixFrom(addrs[0], addrs[0].BitLen()))
		if err != nil {
			return time.Time{}, err
		}
		if has {
			if addrs = addrs[1:]; len(addrs) == 0 {
				return time.Now(), nil
			}
			continue
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("no route to %v: %w", addrs, ctx.Err())
		}
	}
}

// End ends the watch.
func (w *TableWatch) End() { _ = w.console.Close() }
