package assign

import "testing"

// A worker that panics ends the process, for it may leave a book half written.
func TestPanicIsNotRecovered(t *testing.T) {
	if o := options[int](1); o.RecoverPanic == nil || *o.RecoverPanic {
		t.Error("a panic is recovered")
	}
}
