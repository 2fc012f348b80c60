package layer2

import (
	"testing"
	"time"

	"github.com/mdlayher/arp"
)

// Law: an interface that sends nothing any more does not keep the others waiting,
// however many addresses are to be announced on it.
func TestStalled(t *testing.T) {
	lan := newSimLAN("h0", "h1")
	lan.stalled = map[string]bool{"h0": true}
	simulate(t, lan, func(t *testing.T, r *rig) {
		r.set(append(many(1000), r.want([]string{"h1"}, "192.0.2.1")...))
		began := time.Now()
		due := time.Duration(0)
		for n := 0; ; n++ {
			r.hears("h1", announces(r.mac("h1"), "192.0.2.1", arp.OperationRequest), began.Add(due+100*time.Millisecond))
			if n == len(burst) {
				return
			}
			due += burst[n]
		}
	})
}

// hears waits until the host has sent something on an interface, which it must
// have by a time.
func (r *rig) hears(name string, wanted func([]byte) bool, by time.Time) {
	r.t.Helper()
	late := time.After(time.Until(by))
	for {
		select {
		case f := <-r.frames(name):
			if wanted(f) {
				return
			}
		case <-late:
			r.t.Fatalf("nothing on %s in time", name)
		}
	}
}
