package assign

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// A lease is what candidates compete for; it can be out of reach.
type lease struct {
	mu     sync.Mutex
	record *resourcelock.LeaderElectionRecord
	away   bool
	// version counts the changes.
	version int
	// watches are those that are told of every change.
	watches []*watch.RaceFreeFakeWatcher
}

// A claim is one candidate's view of a lease.
type claim struct {
	*lease
	identity string
	seen     *int // the version that it knows; nil for one that overwrites any
	link     *link
}

// A link is what a candidate's requests take, nil for one that is always there.
// While it is cut, they hang until it is mended or they have taken too long.
type link struct {
	mu     sync.Mutex
	mended chan struct{} // nil when the link is not cut
}

// cut cuts the link until the function that it returns is called.
func (k *link) cut() (mend func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := make(chan struct{})
	k.mended = c
	return func() { close(c) }
}

// cross waits until a request has taken the link.
func (k *link) cross(ctx context.Context) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	c := k.mended
	k.mu.Unlock()
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ resourcelock.Interface = claim{}

func (c claim) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := c.link.cross(ctx); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.away:
		return nil, nil, errInjected
	case c.record == nil:
		return nil, nil, apierrors.NewNotFound(corev1.Resource("leases"), leaseName)
	}
	if c.seen != nil {
		*c.seen = c.version
	}
	r := *c.record
	return &r, []byte(r.HolderIdentity + r.RenewTime.String()), nil
}

func (c claim) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return c.Update(ctx, r)
}

func (c claim) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := c.link.cross(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.away:
		return errInjected
	case c.seen != nil && c.record != nil && *c.seen != c.version:
		return apierrors.NewConflict(corev1.Resource("leases"), leaseName, errInjected)
	}
	c.version++
	c.record = &r
	if c.seen != nil {
		*c.seen = c.version
	}
	for _, w := range c.watches {
		w.Modify(&coordinationv1.Lease{Spec: resourcelock.LeaderElectionRecordToLeaseSpec(&r)})
	}
	return nil
}

// drop deletes the lease.
func (l *lease) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	spec := resourcelock.LeaderElectionRecordToLeaseSpec(l.record)
	l.record = nil
	for _, w := range l.watches {
		w.Delete(&coordinationv1.Lease{Spec: spec})
	}
}

// watch begins a watch, as an elector does.
func (l *lease) watch(context.Context) (watch.Interface, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, errInjected
	}
	w := watch.NewRaceFreeFake()
	l.watches = append(l.watches, w)
	return w, nil
}

func (c claim) RecordEvent(string) {}
func (c claim) Identity() string   { return c.identity }
func (c claim) Describe() string   { return c.identity }

func (l *lease) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// terms notes who leads when.
type terms struct {
	mu      sync.Mutex
	leading []string
	both    bool
}

func (t *terms) elector(l *lease, identity string) *elector {
	return &elector{lock: claim{l, identity, new(int), nil}, freeC: make(chan struct{}, 1), tell: func(string) {}, lead: func(ctx context.Context) {
		t.mu.Lock()
		t.leading = append(t.leading, identity)
		t.both = t.both || len(t.leading) > 1
		t.mu.Unlock()
		<-ctx.Done()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.leading = slices.DeleteFunc(t.leading, func(s string) bool { return s == identity })
	}}
}

func (t *terms) who() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.leading)
}

func TestElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		ctxA, stopA := context.WithCancel(t.Context())
		ctxB, stopB := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		run := func(ctx context.Context, identity string) {
			wg.Go(func() {
				if err := seen.elector(&l, identity).Start(ctx); err != nil {
					t.Errorf("%s: %v", identity, err)
				}
			})
		}
		want := func(when string, who ...string) {
			t.Helper()
			synctest.Wait()
			if got := seen.who(); !slices.Equal(got, who) {
				t.Errorf("%s: %v lead, want %v", when, got, who)
			}
		}
		run(ctxA, "a")
		want("at once", "a")
		run(ctxB, "b")
		<-time.After(time.Minute)
		want("a holds the lease", "a")

		l.setAway(true)
		<-time.After(renewDeadline + renewPeriod)
		want("the API server is away")
		<-time.After(time.Hour)
		want("for long")
		l.setAway(false)
		<-time.After(3 * renewPeriod)
		if got := seen.who(); len(got) != 1 {
			t.Errorf("API server back: %v lead, want one", got)
		}

		stopA()
		<-time.After(3 * renewPeriod)
		want("a is stopped and hands back", "b")
		stopB()
		wg.Wait()
		want("both are stopped")
		if seen.both {
			t.Error("two led at once")
		}
	})
}

// A lease that is handed back is taken at once by one that watches it, and no
// two lead, however often it changes hands.
func TestElectionAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		var wg sync.WaitGroup
		stops := map[string]context.CancelFunc{}
		run := func(identity string) {
			ctx, stop := context.WithCancel(t.Context())
			stops[identity] = stop
			e := seen.elector(&l, identity)
			e.watch = l.watch
			wg.Go(func() {
				if err := e.Start(ctx); err != nil {
					t.Errorf("%s: %v", identity, err)
				}
			})
		}
		for i := range 4 {
			run(fmt.Sprint(i))
		}
		for i := range 50 {
			<-time.After(10 * time.Second)
			who := seen.who()
			if len(who) != 1 {
				t.Fatalf("hand-over %d: %v lead, want one", i, who)
			}
			stops[who[0]]()
			synctest.Wait()
			if next := seen.who(); len(next) != 1 || next[0] == who[0] {
				t.Errorf("hand-over %d: %v lead after %v, want another one at once", i, next, who)
			}
			run(fmt.Sprint(4 + i))
		}
		l.setAway(true) // no watch, nobody leads
		<-time.After(time.Minute)
		if got := seen.who(); len(got) > 0 {
			t.Errorf("%v lead without the API server", got)
		}
		l.setAway(false)
		<-time.After(3 * renewPeriod)
		if got := seen.who(); len(got) != 1 {
			t.Errorf("%v lead with the API server back, want one", got)
		}
		for _, stop := range stops {
			stop()
		}
		wg.Wait()
		if seen.both {
			t.Error("two led at once")
		}
	})
}

// However a leader is lost, another leads within 15 s, so that reading the
// cluster and the first write fit into 20 s.
func TestElectionAfterLoss(t *testing.T) {
	const limit = 15 * time.Second
	for i := range 100 {
		synctest.Test(t, func(t *testing.T) {
			var l lease
			var seen terms
			renew := func() {
				now := metav1.Now()
				_ = claim{&l, "gone", nil, nil}.Update(t.Context(), resourcelock.LeaderElectionRecord{
					HolderIdentity: "gone", LeaseDurationSeconds: int(leaseDuration / time.Second), AcquireTime: now, RenewTime: now,
				})
			}
			renew()
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- seen.elector(&l, "next").Start(ctx) }()
			for range 20 + i {
				<-time.After(renewPeriod)
				renew()
			}
			lost := time.Now()
			for len(seen.who()) == 0 && time.Since(lost) < time.Minute {
				<-time.After(10 * time.Millisecond)
			}
			if took := time.Since(lost); took > limit {
				t.Errorf("another leads %v after the leader was lost, want %v", took, limit)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A leader that is cut off from the API server loses the lease, and takes
// nothing from its successor whenever it is back, though requests that it sent
// while it was cut off arrive then.
func TestElectionAfterCut(t *testing.T) {
	for cut := time.Second; cut < 30*time.Second; cut += 50 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			var l lease
			var seen terms
			var wg sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			var way link
			for _, identity := range []string{"cut", "next"} {
				e := seen.elector(&l, identity)
				e.watch = l.watch
				if identity == "cut" {
					e.lock = claim{&l, identity, new(int), &way}
				}
				wg.Go(func() {
					if err := e.Start(ctx); err != nil {
						t.Errorf("%s: %v", identity, err)
					}
				})
				<-time.After(3 * time.Second)
			}
			mend := way.cut()
			<-time.After(cut)
			before := seen.who()
			mend()
			<-time.After(3 * renewPeriod)
			if after := seen.who(); len(after) != 1 || (len(before) > 0 && after[0] != before[0]) {
				t.Errorf("cut off for %v: %v led before it was back, %v after", cut, before, after)
			}
			stop()
			wg.Wait()
			if seen.both {
				t.Errorf("cut off for %v: two led at once", cut)
			}
		})
	}
}

// An unanswered is a lock whose link is cut as soon as a renewal is made, while
// its answer takes as long as it may.
type unanswered struct {
	claim
	next *atomic.Bool // set when this is to happen to the next renewal
}

func (u unanswered) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := u.claim.Update(ctx, r)
	if err == nil && u.next.CompareAndSwap(true, false) {
		u.link.cut()
		<-time.After(requestTimeout - time.Millisecond)
	}
	return err
}

// A leader stops before others may begin even when the answer to its last
// renewal comes late, for they count from when it was made.
func TestElectionAfterLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		var wg sync.WaitGroup
		var next atomic.Bool
		ctx, stop := context.WithCancel(t.Context())
		for i := range 9 { // so many that one looks as soon as the lease is over
			e := seen.elector(&l, fmt.Sprint(i))
			if i == 0 {
				e.lock = unanswered{claim{&l, "0", new(int), &link{}}, &next}
			}
			wg.Go(func() {
				if err := e.Start(ctx); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
			<-time.After(3 * time.Second)
		}
		if got := seen.who(); !slices.Equal(got, []string{"0"}) {
			t.Errorf("%v lead, want the first", got)
		}
		next.Store(true)
		<-time.After(20 * time.Second)
		if got := seen.who(); len(got) != 1 || got[0] == "0" {
			t.Errorf("%v lead, want another", got)
		}
		stop()
		wg.Wait()
		if seen.both {
			t.Error("two led at once")
		}
	})
}

// One that leads stops at the next look when it finds that another holds the
// lease, whatever has come about meanwhile.
func TestElectionRobbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- seen.elector(&l, "pod").Start(ctx) }()
		<-time.After(5 * time.Second)
		now := metav1.Now()
		robber := resourcelock.LeaderElectionRecord{
			HolderIdentity: "robber", LeaseDurationSeconds: int(leaseDuration / time.Second), AcquireTime: now, RenewTime: now,
		}
		if err := (claim{&l, "robber", nil, nil}).Update(ctx, robber); err != nil {
			t.Fatal(err)
		}
		<-time.After(renewPeriod)
		synctest.Wait()
		if got := seen.who(); len(got) > 0 {
			t.Errorf("%v leads, and another holds the lease", got)
		}
		if l.record.HolderIdentity != robber.HolderIdentity {
			t.Errorf("%q holds the lease, want %q", l.record.HolderIdentity, robber.HolderIdentity)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A lease that somebody deletes stays with who leads.
func TestElectionDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		var wg sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for _, identity := range []string{"leader", "next"} {
			e := seen.elector(&l, identity)
			e.watch = l.watch
			wg.Go(func() {
				if err := e.Start(ctx); err != nil {
					t.Errorf("%s: %v", identity, err)
				}
			})
			<-time.After(5 * time.Second)
		}
		for i := range 50 {
			l.drop()
			<-time.After(5*time.Second + time.Duration(i)*47*time.Millisecond)
			if got := seen.who(); !slices.Equal(got, []string{"leader"}) {
				t.Fatalf("%v lead after the lease was deleted, want leader", got)
			}
		}
		stop()
		wg.Wait()
	})
}

// An ending is a lock whose updates are made, but not answered, for the process
// ends meanwhile.
type ending struct {
	claim
	end func()
}

func (e ending) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return e.Update(ctx, r)
}

func (e ending) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	_ = e.claim.Update(ctx, r)
	e.end()
	return errInjected
}

// A lease is handed back also when it was got so late that nobody noticed.
func TestElectionEndsUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var seen terms
		ctx, stop := context.WithCancel(t.Context())
		e := seen.elector(&l, "pod")
		e.lock = ending{claim{&l, "pod", new(int), nil}, stop}
		if err := e.Start(ctx); err != nil {
			t.Error(err)
		}
		if l.record == nil || l.record.HolderIdentity != "" {
			t.Errorf("lease %+v, want one that nobody holds", l.record)
		}
	})
}

// A process that is started again under its old name takes the lease back.
func TestElectionAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := metav1.Now()
		l := lease{record: &resourcelock.LeaderElectionRecord{
			HolderIdentity: "pod", LeaseDurationSeconds: 15, AcquireTime: now, RenewTime: now,
		}}
		var seen terms
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- seen.elector(&l, "pod").Start(ctx) }()
		synctest.Wait()
		if got := seen.who(); len(got) != 1 {
			t.Errorf("%v lead, want pod at once", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNoElection(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	led := false
	e := &elector{lead: func(context.Context) { led = true }}
	stop()
	if err := e.Start(ctx); err != nil || !led {
		t.Errorf("Start = %v, led %v", err, led)
	}
}
