// Package owner has the goroutine that owns a state run functions for others.
//
//	r := owner.New[func(*engine) error](errEnded)
//	err := r.Do(ctx, func(e *engine) error { return e.set(want) }) // anybody
//
//	defer r.End() // the owner
//	for {
//		select {
//		case q := <-r.C:
//			q.Answer(q.Run(e))
//		case ...
//		}
//	}
//
// A call of Do returns with the answer, with the error of New once the owner has
// ended, or with that of its context; it never waits for an owner that has ended.
// An owner never waits for a caller: it answers although nobody listens any more.
// Functions run one at a time, as the owner receives them. The package starts no
// goroutine.
package owner
