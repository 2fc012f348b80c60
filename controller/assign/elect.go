package assign

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// leaseName is the Lease that replicas of the controller compete for.
const leaseName = "herald-controller"

// How long a lease holds without being renewed, when its holder stops to act
// because it cannot renew it, and how often it tries.
//
// A replica looks at the lease every renewPeriod, jittered to up to 2.2 times
// that: it may see the last renewal so late, and the end of the lease as late
// again. So it acts at most leaseDuration + 4.4 renewPeriod, which is 14.4 s,
// after its predecessor was lost, and later only by what its requests take. It
// has the rest of 20 s to read the cluster. A lease that is handed back it takes
// at once, because it watches it.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	renewPeriod   = time.Second
)

// requestTimeout bounds a request about the lease: one that hangs must not cost
// the lease. Nor may one that is answered late cost its end: others count
// leaseDuration from when a renewal was made, but its holder acts for
// renewPeriod + renewDeadline from the answer. A quarter is left to stop in.
const requestTimeout = (leaseDuration - renewDeadline - renewPeriod) * 3 / 4

// An elector runs a term of its assigner whenever this process holds the lease.
//
// Losing the lease ends the term, not the process: while the API server is
// away nobody can hold it, and a process that ended would be started again
// after a pause that grows with every time. That is safe because nothing
// outlives a term: its workers are stopped before the lease can pass on, the
// next term begins with an empty book and a list from the API server, and a
// write that is still on its way is refused when its Service has changed.
// What it could do at worst, to show an address that the next term has given
// to another Service in the same moment, the next term sees and puts right.
type elector struct {
	lead func(context.Context)
	// lock is nil when there is nobody to compete with.
	lock resourcelock.Interface
	// watch follows the lease; nil when it is only looked at now and then.
	watch func(context.Context) (watch.Interface, error)
	// freeC has a token when the lease was seen without a holder.
	freeC chan struct{}
	tell  func(msg string)
}

// newElector returns an elector; without an identity it leads at once. A
// process that is started again with the same identity takes its lease back
// without waiting for it to run out.
func (a *assigner) newElector(cfg *rest.Config, identity string) (*elector, error) {
	e := &elector{lead: a.lead, freeC: make(chan struct{}, 1), tell: func(msg string) { _ = level.Info(a.logger).Log("msg", msg) }}
	if identity == "" {
		return e, nil
	}
	patient, err := coordination.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client for leases: %w", err)
	}
	e.watch = func(ctx context.Context) (watch.Interface, error) {
		return patient.Leases(a.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + leaseName})
	}
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = requestTimeout
	client, err := coordination.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client for leases: %w", err)
	}
	e.lock = &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: a.namespace, Name: leaseName},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
	return e, nil
}

// NeedLeaderElection tells the manager to start this without one of its own.
func (e *elector) NeedLeaderElection() bool { return false }

// Start competes for the lease until ctx ends, and leads while it is held. It
// implements manager.Runnable.
func (e *elector) Start(ctx context.Context) error {
	if e.lock == nil {
		e.lead(ctx)
		return nil
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if e.watch != nil {
		watching.Go(func() { e.keepWatching(ctx) })
	}
	for ctx.Err() == nil {
		if err := e.compete(ctx); err != nil {
			return err
		}
	}
	return nil
}

// compete runs for the lease once, and leads until it is lost or ctx ends. In
// the latter case it is handed back, but only after the last worker has ended.
// It returns also when there is reason to run anew at once.
//
// The library's own way to hand a lease back is not for us: it lets the term go
// on meanwhile, and it takes the lease from whoever has got it since.
func (e *elector) compete(ctx context.Context) error {
	c := &candidacy{elector: e, lock: newGraspable(e.lock), beganC: make(chan struct{}), endedC: make(chan struct{})}
	// Without a logger, because it would write a line for each attempt.
	holding, letGo := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), klog.Logger{}))
	defer letGo()
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          c.lock,
		Name:          leaseName,
		LeaseDuration: leaseDuration,
		RenewDeadline: renewDeadline,
		RetryPeriod:   renewPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(held context.Context) { c.lead(ctx, held) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("leader election: %w", err)
	}
	defer context.AfterFunc(ctx, func() {
		c.wait()
		letGo()
	})()
	var listening sync.WaitGroup
	listening.Go(func() { c.listen(holding, letGo) })
	le.Run(holding)
	letGo()
	listening.Wait()
	led := c.wait()
	switch {
	case ctx.Err() != nil: // a request may have got the lease that was not answered
		e.handBack(context.WithoutCancel(ctx))
	case led:
		e.tell("lease lost")
	}
	return nil
}

// handBack gives the lease up, so that another need not wait for its end. It
// does nothing when it is not ours, and is content with a few tries.
func (e *elector) handBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for range 3 {
		r, _, err := e.lock.Get(ctx)
		if err != nil || r.HolderIdentity != e.lock.Identity() {
			return
		}
		now := metav1.Now()
		err = e.lock.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaderTransitions: r.LeaderTransitions, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
		})
		if !apierrors.IsConflict(err) { // with a renewal that was on its way
			return
		}
	}
}

// A candidacy is one run for the lease.
type candidacy struct {
	*elector
	lock *graspable
	// beganC is closed when leading begins, endedC when it has ended.
	beganC, endedC chan struct{}
}

// lead leads until ctx ends or the lease is no longer held.
func (c *candidacy) lead(ctx, held context.Context) {
	close(c.beganC)
	defer close(c.endedC)
	c.tell("lease acquired")
	acting, stop := context.WithCancel(held)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	c.elector.lead(acting)
}

// listen lets go of the lease when it was seen free before it was held, for the
// next run begins with a look, and when another holds it that had been ours. It
// returns when holding ends.
func (c *candidacy) listen(holding context.Context, letGo func()) {
	for {
		select {
		case <-c.freeC:
			if !c.lock.held() {
				letGo()
			}
		case <-c.lock.robbedC:
			letGo()
			return
		case <-holding.Done():
			return
		}
	}
}

// wait waits until leading has ended, and reports whether it had begun.
func (c *candidacy) wait() bool {
	if !c.lock.held() {
		return false
	}
	<-c.beganC
	<-c.endedC
	return true
}
