package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// Config is what a Cluster works with.
type Config struct {
	// Store is the lab's, locked by the caller.
	Store *state.Store
	// Root is the repository's root.
	Root string
	// Report is told of progress, in lines without an end.
	Report func(format string, args ...any)
	// Images are tarballs that every node gets besides those the lab needs.
	Images []string
	// Router starts what a router host runs. Nil when there are no routers.
	Router func(ctx context.Context, s *state.Store, h state.Host) error
}

// Cluster changes the cluster of one lab. Its methods may not be called at the
// same time.
type Cluster struct {
	Config
	// bin is where the Kubernetes programs are, set by prepare.
	bin string
	// images are the tarballs that every node gets, set by prepare.
	images []string
	// pause is the reference of the sandbox image, set by prepare.
	pause string
}

// New returns a Cluster for the lab of c.Store.
func New(c Config) *Cluster { return &Cluster{Config: c} }

// poll is how often something that must happen is looked for.
const poll = 50 * time.Millisecond

// wait asks ok until it says nil, and fails with what it said last when ctx
// ends.
func wait(ctx context.Context, what string, ok func(context.Context) error) error {
	t := time.NewTicker(poll)
	defer t.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: last seen: %w", what, ctx.Err(), err)
		case <-t.C:
		}
	}
}

// lastLine returns the last line of a log, for an error message.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	data = bytes.TrimSpace(data)
	return string(data[bytes.LastIndexByte(data, '\n')+1:])
}
