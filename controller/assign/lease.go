package assign

import (
	"context"
	"errors"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/heraldlb/herald/internal/pause"
)

// watchPause is how long to wait before the lease is watched again after a
// watch has ended or was refused. It is looked at in any case.
const watchPause = 2 * time.Second

// keepWatching watches the lease until ctx ends.
func (e *elector) keepWatching(ctx context.Context) {
	for {
		if w, err := e.watch(ctx); err == nil {
			e.follow(ctx, w)
		}
		if !pause.For(ctx, watchPause) {
			return
		}
	}
}

// follow follows one watch to its end.
func (e *elector) follow(ctx context.Context, w watch.Interface) {
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case news, more := <-w.ResultChan():
			if !more {
				return
			}
			// One that was deleted is not free: see graspable.
			if l, ok := news.Object.(*coordinationv1.Lease); ok && news.Type != watch.Deleted && holder(l) == "" {
				e.freed()
			}
		}
	}
}

// holder returns who holds a lease; it is empty when nobody does.
func holder(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

// freed notes that the lease was seen without a holder.
func (e *elector) freed() {
	select {
	case e.freeC <- struct{}{}:
	default: // it is noted
	}
}

// A graspable is a lock that remembers whether it was ever held, and notices
// when another holds it afterwards.
type graspable struct {
	resourcelock.Interface
	// robbedC is closed when another was seen to hold the lock that was held.
	robbedC chan struct{}

	mu      sync.Mutex
	grasped bool
	robbed  bool
	// taken is until when another may act that was seen to hold the lock.
	taken time.Time
}

// errTaken is why a lock is not made that another held a moment ago.
var errTaken = errors.New("another may act still")

// newGraspable returns a graspable of a lock.
func newGraspable(lock resourcelock.Interface) *graspable {
	return &graspable{Interface: lock, robbedC: make(chan struct{})}
}

// Get implements resourcelock.Interface.
func (g *graspable) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	r, raw, err := g.Interface.Get(ctx)
	if err == nil {
		g.see(r.HolderIdentity)
	}
	return r, raw, err
}

// see notes who holds the lock; that is empty when nobody does.
func (g *graspable) see(holder string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if holder == "" || holder == g.Identity() {
		return
	}
	g.taken = time.Now().Add(leaseDuration)
	if g.grasped && !g.robbed {
		g.robbed = true
		close(g.robbedC)
	}
}

// Create implements resourcelock.Interface. A lock that was deleted is its
// holder's to make again, which acts until it finds that another has it.
func (g *graspable) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	g.mu.Lock()
	wait := time.Until(g.taken)
	g.mu.Unlock()
	if wait > 0 {
		return errTaken
	}
	return g.note(r, g.Interface.Create(ctx, r))
}

// Update implements resourcelock.Interface.
func (g *graspable) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return g.note(r, g.Interface.Update(ctx, r))
}

// note notes what a write did that had this error.
func (g *graspable) note(r resourcelock.LeaderElectionRecord, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grasped = g.grasped || (err == nil && r.HolderIdentity == g.Identity())
	return err
}

// held reports whether the lock is or was held.
func (g *graspable) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.grasped
}
