package bgp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/speaker/bfd"
	"github.com/heraldlb/herald/speaker/desired"
)

// watched returns one peer with BFD.
func watched(interval time.Duration) desired.BGP {
	return desired.BGP{
		Sessions: []*config.Peer{peerNamed("a", "192.0.2.254", func(p *config.Peer) {
			p.GracefulRestart = true
			p.BFD = &config.BFDProfile{Name: "fast", TransmitInterval: interval, ReceiveInterval: interval, DetectMultiplier: 3}
		})},
		Routes: []desired.Route{routeTo("10.0.0.1/32", "a")},
	}
}

// inWatchedWorld runs a test with an established session whose BFD session is up.
func inWatchedWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.set(watched(50 * time.Millisecond))
		w.router.establish("a", time.Minute)
		w.detector.say("a", bfd.Up, bfd.Up, 0)
		synctest.Wait()
		w.router.drain()
		test(w)
	})
}

// BFD down ends the session without any time passing, and it is tried again when
// BFD is up.
func TestBFDDown(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		start := time.Now()
		w.detector.say("a", bfd.Down, 0, bfd.DetectionTimeExpired)
		s := w.status("a")
		if s.State != Idle || s.LastError != "BFD session down: DetectionTimeExpired; waiting for BFD to come up again" || time.Since(start) != 0 {
			t.Errorf("%+v after %v", s, time.Since(start))
		}
		wantLog(t, w.router, "reset a: BFD session down: DetectionTimeExpired", "close a cease")
		pause.For(w.t.Context(), patience/2)
		synctest.Wait()
		wantLog(t, w.router)
		w.detector.say("a", bfd.Up, bfd.Up, 0)
		synctest.Wait()
		wantLog(t, w.router, "open a")
	})
}

// A session that is up again when it is looked at was down, and ends as well.
func TestBFDDownBetweenLooks(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.detector.flap("a")
		synctest.Wait()
		wantLog(t, w.router, "reset a: BFD session down", "close a cease", "open a")
		w.router.establish("a", time.Minute)
		token(w.detector.changed)
		synctest.Wait()
		wantLog(t, w.router)
	})
}

// A BFD session that was given up and is wanted again starts from the beginning:
// that it is not up yet says nothing of the path.
func TestBFDWantedAgain(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		without := watched(50 * time.Millisecond)
		without.Sessions[0].BFD = nil
		w.set(without)
		w.set(watched(50 * time.Millisecond))
		synctest.Wait()
		w.router.establish("a", time.Minute)
		w.router.drain()
		w.detector.say("a", bfd.Down, bfd.Down, 0)
		w.detector.say("a", bfd.Init, bfd.Down, 0)
		if s := w.status("a"); s.State != EstablishedState {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router)
	})
}

// Nothing that another session is busy with delays that.
func TestBFDDownWhileBusy(t *testing.T) {
	inWorld(t, func(w *world) {
		want := watched(50 * time.Millisecond)
		want.Sessions = append(want.Sessions, peerNamed("b", "192.0.2.253", nil))
		w.set(want)
		w.detector.say("a", bfd.Up, bfd.Up, 0)
		synctest.Wait()
		w.router.drain()
		stall := make(chan struct{})
		w.router.change(func() { w.router.sessions["b"].stall = stall })
		want.Routes = append(want.Routes, routeTo("10.0.0.2/32", "b"))
		done := make(chan error, 1)
		go func() { done <- w.Set(w.t.Context(), want) }()
		synctest.Wait()
		w.detector.say("a", bfd.Down, 0, bfd.DetectionTimeExpired)
		synctest.Wait()
		wantLog(t, w.router, "reset a: BFD session down: DetectionTimeExpired")
		close(stall)
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		wantLog(t, w.router, "announce b 1", "close a cease")
	})
}

// A router may wait for BGP before it speaks BFD again.
func TestBFDStaysDown(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.detector.say("a", bfd.Down, bfd.Down, bfd.NeighborDown)
		synctest.Wait()
		w.router.drain()
		pause.For(w.t.Context(), patience)
		synctest.Wait()
		wantLog(t, w.router, "open a")
		w.router.establish("a", 0)
		w.detector.say("a", bfd.Init, bfd.Down, bfd.NeighborDown)
		if s := w.status("a"); s.State != EstablishedState || s.BFD.State != "Init" {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router)
	})
}

// AdminDown says nothing about the path (RFC 5882 section 3.2).
func TestBFDAdminDown(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.detector.say("a", bfd.Down, bfd.AdminDown, bfd.NeighborDown)
		synctest.Wait()
		w.detector.say("a", bfd.Down, 0, bfd.NeighborDown) // and then it is silent
		if s := w.status("a"); s.State != EstablishedState {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router)
		// After a failure it ends the wait.
		w.detector.say("a", bfd.Up, bfd.Up, 0)
		synctest.Wait()
		w.detector.say("a", bfd.Down, 0, bfd.DetectionTimeExpired)
		synctest.Wait()
		w.detector.say("a", bfd.Down, bfd.AdminDown, bfd.NeighborDown)
		synctest.Wait()
		wantLog(t, w.router, "reset a: BFD session down: DetectionTimeExpired", "close a cease", "open a")
	})
}

// A router ends its BFD session because BGP has ended for other settings: that says
// nothing of the path. It is left alone until then, whatever else is set.
func TestBFDDownAfterSession(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		for i := range 2 {
			other := watched(50 * time.Millisecond)
			other.Sessions[0].HoldTime = time.Duration(33+i) * time.Second
			w.set(other)
			synctest.Wait()
		}
		wantLog(t, w.router, "close a keep")
		w.detector.say("a", bfd.Down, bfd.Down, bfd.NeighborDown)
		pause.For(w.t.Context(), breath-time.Millisecond)
		synctest.Wait()
		wantLog(t, w.router)
		pause.For(w.t.Context(), time.Millisecond)
		synctest.Wait()
		wantLog(t, w.router, "open a")
	})
}

// A session may come up before BFD does, and other timers flap nothing.
func TestBFDTimers(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.set(watched(300 * time.Millisecond))
		s := w.status("a")
		if s.State != EstablishedState || s.BFD == nil || s.BFD.State != "Up" || s.BFD.Receive != 300*time.Millisecond {
			t.Errorf("%+v", s)
		}
		wantLog(t, w.router)
		sets := w.detector.sets
		w.set(watched(300 * time.Millisecond))
		if w.detector.sets != sets {
			t.Error("the detector was set again for nothing")
		}
	})
}

// A router that keeps the routes hears nothing of BFD, and nothing at all of BGP.
func TestLeaveKeeping(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		start := time.Now()
		if err := w.Leave(w.t.Context(), true); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		wantLog(t, w.router, "close a keep")
		if d := cmp.Diff([]string{"set a", "set a", "hush", "set "}, w.detector.history); d != "" {
			t.Error(d)
		}
		if err := w.Set(w.t.Context(), watched(time.Second)); err == nil {
			t.Error("set after leave")
		}
	})
}

func TestLeave(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.router.change(func() { w.router.slow = time.Second })
		start := time.Now()
		done := make(chan error, 1)
		go func() { done <- w.Leave(w.t.Context(), false) }()
		synctest.Wait()
		if d := cmp.Diff([]string{"10.0.0.1/32 via 192.0.2.1 pref 0 65535:0"}, w.router.table("a")); d != "" {
			t.Error(d)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("took %v", d)
		}
		wantLog(t, w.router, "announce a 1", "withdraw a 1", "close a cease")
		if d := cmp.Diff([]string{"set a", "set "}, w.detector.history); d != "" {
			t.Error(d)
		}
		if err := w.Leave(w.t.Context(), false); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

// Without graceful restart there is nothing to keep, whatever is asked for.
func TestLeaveKeepingNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(two(routeTo("10.0.0.1/32", "a", "b")))
		w.router.establish("a", 0)
		synctest.Wait()
		w.router.drain()
		if err := w.Leave(w.t.Context(), true); err != nil {
			t.Error(err)
		}
		log := w.router.drain()
		if d := cmp.Diff([]string{"announce a 1", "withdraw a 1"}, log[:2]); d != "" || len(log) != 4 {
			t.Error(log)
		}
	})
}

// A stop without Leave is one that keeps.
func TestStop(t *testing.T) {
	inWatchedWorld(t, func(w *world) {
		w.stop()
		wantLog(t, w.router, "close a keep")
		if err := w.Set(w.t.Context(), desired.BGP{}); err == nil {
			t.Error("set after the end")
		}
	})
}
