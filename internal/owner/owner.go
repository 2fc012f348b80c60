package owner

import "context"

// Requests bring functions of type F to the goroutine that owns a state.
type Requests[F any] struct {
	// C is where the owner receives.
	C <-chan Request[F]

	c        chan<- Request[F]
	ended    chan struct{}
	errEnded error
}

// A Request is a function that the owner has to run, and to answer for once.
type Request[F any] struct {
	Run  F
	done chan error // capacity 1
}

// New returns Requests; errEnded is what a call gets when the owner has ended.
func New[F any](errEnded error) *Requests[F] {
	c := make(chan Request[F])
	return &Requests[F]{C: c, c: c, ended: make(chan struct{}), errEnded: errEnded}
}

// Do has the owner run a function and returns the answer. It waits for an owner
// that has not begun. When ctx ends first, the function may still run.
func (r *Requests[F]) Do(ctx context.Context, run F) error {
	q := Request[F]{Run: run, done: make(chan error, 1)}
	select {
	case r.c <- q:
	case <-r.ended:
		return r.errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-q.done:
		return err
	case <-r.ended:
		return r.errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// End says that the owner receives no more. It is called once.
func (r *Requests[F]) End() { close(r.ended) }

// Ended returns a channel that is closed by End.
func (r *Requests[F]) Ended() <-chan struct{} { return r.ended }

// Answer has Do return err. The owner calls it once.
func (q Request[F]) Answer(err error) { q.done <- err }
