package gobgp

import (
	"sync"
	"time"
)

// A hold keeps the library's routes from changing while it sends all of them. It
// ends with the end-of-RIB markers that the library sends after them (RFC 4724
// section 2), or after a while by itself: it must not depend on a neighbor.
type hold struct {
	lock chan struct{}

	mu sync.Mutex
	// markers are how many are still to come; zero when nothing is held.
	markers int
	timer   *time.Timer // of the last hold
}

// take waits for others that hold the routes, or change them, and holds them until
// so many markers have come.
func (h *hold) take(markers int) {
	h.lock <- struct{}{}
	starting.RLock() // the library looks through its routes meanwhile
	h.mu.Lock()
	defer h.mu.Unlock()
	h.markers = markers
	var timer *time.Timer
	timer = time.AfterFunc(libraryWithin, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.timer == timer { // else it was too late to stop it, and this is another hold
			h.free()
		}
	})
	h.timer = timer
}

// marker takes note of an end-of-RIB marker.
func (h *hold) marker() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.markers > 1 {
		h.markers--
		return
	}
	h.free()
}

// release ends the hold, if there is one.
func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free()
}

// free is for callers that hold mu.
func (h *hold) free() {
	if h.markers == 0 {
		return
	}
	h.markers = 0
	h.timer.Stop()
	starting.RUnlock()
	<-h.lock
}
