package assign

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// told is a recorder that remembers what it was told, and when.
type told struct {
	mu    sync.Mutex
	notes []string
	times []time.Time
	bare  bool
}

func (r *told) Eventf(regarding, _ runtime.Object, _, _, _, note string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(note, args...))
	r.times = append(r.times, time.Now())
	s := regarding.(*corev1.Service)
	r.bare = s.Name == "web" && s.Spec.Type == ""
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
		p := newPacer(to, &traffic{})
		endedC := make(chan error, 1)
		go func() { endedC <- p.Start(ctx) }()
		web := &corev1.Service{ObjectMeta: objectMeta("default", "web"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
		began := time.Now()
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("100%% of %d", i))
			p.Eventf(web, nil, corev1.EventTypeNormal, eventAssigned, "Assign", "%s", want[i])
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
		if !to.bare {
			t.Error("the event held the whole Service, or named another")
		}
	})
}

// Events give way to status writes, at once but not for ever.
func TestPacerGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var busy traffic
		to := &told{}
		p := newPacer(to, &busy)
		endedC := make(chan error, 1)
		go func() { endedC <- p.Start(ctx) }()
		tell := func() { p.Eventf(&corev1.Service{}, nil, corev1.EventTypeNormal, eventAssigned, "Assign", "x") }
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

// More events than may wait are not kept.
func TestPacerIsBounded(t *testing.T) {
	p := newPacer(&told{}, &traffic{})
	for range maxEvents + 10 {
		p.Eventf(&corev1.Service{}, nil, corev1.EventTypeNormal, eventAssigned, "Assign", "x")
	}
	if got := len(p.waiting); got != maxEvents {
		t.Errorf("%d events wait, want %d", got, maxEvents)
	}
}
