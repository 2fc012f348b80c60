package gobgp

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldlb/herald/speaker/bgp"
)

// TestAlive: the library hears soon that the router is alive, and not of every
// message that says so.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, library := net.Pipe()
		defer func() { _ = here.Close() }()
		var heard []time.Time
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for r := newReader(library); ; {
				if _, _, err := r.next(); err != nil {
					return
				}
				heard = append(heard, time.Now())
			}
		}()
		g := &gate{library: here, state: bgp.EstablishedState, told: time.Now()}
		const messages, apart = 1000, time.Millisecond
		began := time.Now()
		for range messages {
			<-time.After(apart)
			must(t, g.take(nil, typeKeepalive, 0))
		}
		must(t, here.Close())
		<-ended
		if n := len(heard); n != 10 {
			t.Errorf("told %d times in %v", n, time.Since(began))
		}
		for _, at := range heard {
			if gap := at.Sub(began); gap > 100*time.Millisecond {
				t.Errorf("not told for %v", gap)
			}
			began = at
		}
	})
}
