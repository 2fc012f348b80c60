package owner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldlb/herald/internal/owner"
)

var (
	errEnded  = errors.New("ended")
	errAnswer = errors.New("answer")
)

// A counter is a state with an owner.
type counter struct{ n int }

// own owns c until ctx ends.
func own(ctx context.Context, r *owner.Requests[func(*counter) error], c *counter) {
	defer r.End()
	for {
		select {
		case q := <-r.C:
			q.Answer(q.Run(c))
		case <-ctx.Done():
			return
		}
	}
}

func TestDo(t *testing.T) {
	const life = 10 * time.Second // of the owner
	tests := []struct {
		name       string
		from, late time.Duration // when Do is called, and how long its ctx is
		run        func(*counter) error
		want       error
		at         time.Duration // when Do returns
		ran        int
	}{
		{name: "answered", late: time.Hour, run: count(0, nil), ran: 1},
		{name: "answered with an error", late: time.Hour, run: count(0, errAnswer), want: errAnswer, ran: 1},
		{name: "answered later", late: time.Hour, run: count(3*time.Second, nil), at: 3 * time.Second, ran: 1},
		{
			name: "ctx ends before the answer, which blocks nobody",
			late: time.Second, run: count(3*time.Second, nil), want: context.DeadlineExceeded, at: time.Second, ran: 1,
		},
		{name: "after the end", from: life + time.Second, late: time.Hour, run: count(0, nil), want: errEnded, at: life + time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := owner.New[func(*counter) error](errEnded)
				ctx, cancel := context.WithTimeout(t.Context(), life)
				defer cancel()
				var c counter
				go own(ctx, r, &c)
				<-time.After(tt.from)
				late, stop := context.WithTimeout(t.Context(), tt.late)
				defer stop()
				err := r.Do(late, tt.run)
				if at := time.Since(began); !errors.Is(err, tt.want) || at != tt.at {
					t.Errorf("Do = %v after %v, want %v after %v", err, at, tt.want, tt.at)
				}
				<-r.Ended()
				if c.n != tt.ran {
					t.Errorf("ran %d times, want %d", c.n, tt.ran)
				}
			})
		})
	}
}

// count returns a function that takes a time, counts, and returns err.
func count(d time.Duration, err error) func(*counter) error {
	return func(c *counter) error {
		<-time.After(d)
		c.n++
		return err
	}
}

// A call waits for an owner that has not begun, and for no longer than its ctx,
// or until the owner ends without having received.
func TestDoWaits(t *testing.T) {
	nothing := func(*counter) error { return nil }
	synctest.Test(t, func(t *testing.T) {
		r := owner.New[func(*counter) error](errEnded)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Do(ctx, nothing); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no owner: Do = %v, want that of ctx", err)
		}
		done := make(chan error)
		go func() { done <- r.Do(t.Context(), nothing) }()
		synctest.Wait()
		(<-r.C).Answer(errAnswer)
		if err := <-done; !errors.Is(err, errAnswer) {
			t.Errorf("an owner: Do = %v, want %v", err, errAnswer)
		}
		go func() { done <- r.Do(t.Context(), nothing) }()
		synctest.Wait()
		r.End()
		if err := <-done; !errors.Is(err, errEnded) {
			t.Errorf("an owner that ended: Do = %v, want %v", err, errEnded)
		}
	})
}

// An owner that ends while it has a request does not leave the caller waiting.
func TestEndWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := owner.New[func(*counter) error](errEnded)
		go func() {
			defer r.End()
			<-r.C
		}()
		if err := r.Do(t.Context(), nil); !errors.Is(err, errEnded) {
			t.Errorf("Do = %v, want %v", err, errEnded)
		}
	})
}
