package drive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A RouteWatch tells of the routes that a host's kernel gets, as they come.
type RouteWatch struct {
	cmd  *exec.Cmd
	news chan news
}

// A news is a line that came, and when.
type news struct {
	line string
	at   time.Time
}

// WatchRoutes starts a RouteWatch on a host. The caller ends it.
func (l *Lab) WatchRoutes(ctx context.Context, host string) (*RouteWatch, error) {
	w := &RouteWatch{cmd: l.Command(ctx, "exec", host, "--", "ip", "-o", "monitor", "route"), news: make(chan news, 1000)}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("watch routes of %s: %w", host, err)
	}
	go func() {
		defer close(w.news)
		for text := bufio.NewScanner(out); text.Scan(); {
			w.news <- news{text.Text(), time.Now()}
		}
	}()
	return w, nil
}

// Seen waits until there was a route for each of the addresses alone since the
// watch began or Seen was called last, and returns when the last of them came.
func (w *RouteWatch) Seen(ctx context.Context, addrs ...netip.Addr) (time.Time, error) {
	missing := map[string]bool{}
	for _, a := range addrs {
		missing[a.String()] = true
	}
	for {
		select {
		case n, ok := <-w.news:
			if !ok {
				return time.Time{}, errors.New("the watch of routes has ended")
			}
			first, _, _ := strings.Cut(n.line, " ") // a route that is gone begins with Deleted
			delete(missing, first)
			if len(missing) == 0 {
				return n.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("no route to %v: %w", missing, ctx.Err())
		}
	}
}

// End ends the watch.
func (w *RouteWatch) End() {
	_ = w.cmd.Process.Signal(os.Interrupt) // it may have ended
	for range w.news {
		// What it still has to say is of no use.
	}
	_ = w.cmd.Wait() // it was interrupted
}
