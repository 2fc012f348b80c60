package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/desired"
)

// followLinks watches the links until ctx ends, and starts over when that
// fails: without events the links that are known stay in force.
func (w *World) followLinks(ctx context.Context) error {
	events := make(chan struct{}, 1)
	var sifter sync.WaitGroup
	sifter.Go(func() { w.siftLinks(ctx, events) })
	defer sifter.Wait()
	for ctx.Err() == nil {
		if err := w.WatchLinks(ctx, events); err != nil && ctx.Err() == nil {
			level.Warn(w.Logger).Log("msg", "links not watched, will retry", "error", err)
		}
		if !pause.For(ctx, time.Second) {
			return nil
		}
		hurry(events) // something may have been missed
	}
	return nil
}

// siftLinks tells of the events after which the links are others, until ctx
// ends. As pods come and go, most events are about their cables, and a pass that
// cannot wait should not be made for each of those.
func (w *World) siftLinks(ctx context.Context, events <-chan struct{}) {
	var known []desired.Link
	first := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
		}
		links, err := w.Links()
		if first || err != nil || !slices.EqualFunc(known, links, sameLink) {
			hurry(w.linksC)
		}
		if first = first && err != nil; err == nil {
			known = links
		}
		if !pause.For(ctx, gather) {
			return
		}
	}
}

// sameLink reports whether nothing differs in two links.
func sameLink(a, b desired.Link) bool {
	return a.Name == b.Name && a.Up == b.Up && a.MAC == b.MAC && slices.Equal(a.Prefixes, b.Prefixes)
}
