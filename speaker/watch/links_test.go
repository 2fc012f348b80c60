package watch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// Law: what happens to links hurries those who must know when the links are
// others, and costs nobody else anything.
func TestSiftLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		links := []desired.Link{{Name: "eth0", Up: true}}
		var failure error
		b.Links = func() ([]desired.Link, error) { return slices.Clone(links), failure }
		ctx, cancel := context.WithCancel(t.Context())
		events, done := make(chan struct{}, 1), make(chan struct{})
		go func() { b.siftLinks(ctx, events); close(done) }()
		steps := []struct {
			name   string
			change func()
			want   int
		}{
			{"at the start", func() {}, 1},
			{"nothing of ours", func() {}, 0},
			{"a link goes down", func() { links[0].Up = false }, 1},
			{"it stays so", func() {}, 0},
			{"it cannot be told", func() { failure = errors.New("broken") }, 1},
			{"it can again", func() { failure = nil }, 0},
			{"one is new", func() { links = append(links, desired.Link{Name: "eth1"}) }, 1},
		}
		for _, s := range steps {
			s.change()
			events <- struct{}{}
			<-time.After(2 * gather)
			if synctest.Wait(); len(b.linksC) != s.want {
				t.Errorf("%s: %d told, want %d", s.name, len(b.linksC), s.want)
			}
			for len(b.linksC) > 0 {
				<-b.linksC
			}
		}
		cancel()
		<-done
	})
}
