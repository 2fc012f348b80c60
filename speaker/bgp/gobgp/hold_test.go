package gobgp

import (
	"testing"
	"testing/synctest"
	"time"
)

// held reports whether the routes must not change.
func held(h *hold) bool { return len(h.lock) == 1 }

// TestHold: a hold ends with its last marker or when its own time is over, and the
// time of an earlier one does not count.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hold{lock: make(chan struct{}, 1)}
		h.take(2)
		h.marker()
		if !held(h) {
			t.Error("ends with the first of two markers")
		}
		h.marker()
		if held(h) {
			t.Error("does not end with the last marker")
		}
		<-time.After(libraryWithin / 2)
		h.take(1)
		<-time.After(libraryWithin * 3 / 4)
		synctest.Wait()
		if !held(h) {
			t.Error("ends with the time of the hold before it")
		}
		<-time.After(libraryWithin / 4)
		synctest.Wait()
		if held(h) {
			t.Error("does not end by itself")
		}
		h.release()
		h.marker()
		h.take(1)
		h.release()
		if held(h) {
			t.Error("is not released")
		}
	})
}
