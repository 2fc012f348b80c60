package assign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/heraldlb/herald/internal/kube"
)

// told takes events as an API server would, and remembers when.
type told struct {
	mu    sync.Mutex
	notes []string
	times []time.Time
	of    corev1.ObjectReference
	// away makes every write fail.
	away bool
	asks int
}

func (r *told) write(_ context.Context, e kube.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks++
	if r.away {
		return errors.New("away")
	}
	r.notes = append(r.notes, e.Note)
	r.times = append(r.times, time.Now())
	r.of = e.Regarding
	return nil
}

// setAway makes every write fail from now on, or none.
func (r *told) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// count returns how many events were told.
func (r *told) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.notes)
}

// Events come in their order, a few at once and many at a bounded rate, and
// none is lost when the process stops.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = eventBurst + 5*eventRate
		ctx, cancel := context.WithCancel(t.Context())
		to := &told{}
		p := newPacer(to.write, kube.Scheme(), &traffic{})
		endedC := make(chan error, 1)
		go func() { endedC <- p.Start(ctx) }()
		web := &corev1.Service{ObjectMeta: objectMeta("default", "web"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
		began := time.Now()
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("100%% of %d", i))
			p.tell(web, kube.Event{Note: want[i]})
		}
		synctest.Wait()
		if got := to.count(); got != eventBurst {
			t.Errorf("%d events at once, want %d", got, eventBurst)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if got := to.count() - eventBurst; got < 3*eventRate-1 || got > 3*eventRate+1 {
			t.Errorf("%d events in 3 s, want %d", got, 3*eventRate)
		}
		cancel()
		if err := <-endedC; err != nil {
			t.Error(err)
		}
		if !slices.Equal(to.notes, want) {
			t.Errorf("told %d events, want %d in their order", len(to.notes), n)
		}
		if last := to.times[n-1].Sub(began); last > 3100*time.Millisecond {
			t.Errorf("last event after %v", last)
		}
		if want := (corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "web"}); to.of != want {
			t.Errorf("told of %+v, want %+v", to.of, want)
		}
	})
}

// Events give way to status writes, at once but not for ever.
func TestPacerGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var busy traffic
		to := &told{}
		p := newPacer(to.write, kube.Scheme(), &busy)
		endedC := make(chan error, 1)
		go func() { endedC <- p.Start(ctx) }()
		tell := func() { p.tell(&corev1.Service{}, kube.Event{Note: "x"}) }
		want := func(when string, n int) {
			t.Helper()
			synctest.Wait()
			if got := to.count(); got != n {
				t.Errorf("%s: %d events, want %d", when, got, n)
			}
		}
		tell()
		want("nothing is written", 1)
		end := busy.begin()
		tell()
		<-time.After(2 * calm)
		want("a write lasts", 1)
		end()
		<-time.After(calm / 2)
		want("it has just ended", 1)
		<-time.After(2 * calm)
		want("it is calm", 2)
		end = busy.begin()
		for range 10 {
			tell()
		}
		<-time.After(3*eventPatience + calm)
		want("there is always something to write", 5)
		end()
		<-time.After(2 * calm)
		want("all is written", 12)
		cancel()
		if err := <-endedC; err != nil {
			t.Error(err)
		}
	})
}

// Events wait for an API server that is away, in their order, but one that it
// never takes does not keep the others for ever.
func TestPacerRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		to := &told{away: true}
		p := newPacer(to.write, kube.Scheme(), &traffic{})
		endedC := make(chan error, 1)
		go func() { endedC <- p.Start(ctx) }()
		for _, note := range []string{"first", "second", "third"} {
			p.tell(&corev1.Service{}, kube.Event{Note: note})
		}
		<-time.After(eventTries * eventRetry) // the first is given up
		to.setAway(false)
		<-time.After(2 * eventRetry)
		synctest.Wait()
		if want := []string{"second", "third"}; !slices.Equal(to.notes, want) {
			t.Errorf("told %v, want %v", to.notes, want)
		}
		to.setAway(true)
		p.tell(&corev1.Service{}, kube.Event{Note: "last"})
		cancel()
		if err := <-endedC; err != nil {
			t.Error(err)
		}
	})
}

// More events than may wait are not kept.
func TestPacerIsBounded(t *testing.T) {
	p := newPacer((&told{}).write, kube.Scheme(), &traffic{})
	for range maxEvents + 10 {
		p.tell(&corev1.Service{}, kube.Event{Note: "x"})
	}
	if got := len(p.waiting); got != maxEvents {
		t.Errorf("%d events wait, want %d", got, maxEvents)
	}
}
