package gobgp

import (
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/bgp"
)

// TestReconnect: a session comes back soon after the router can have it again,
// and says meanwhile why it does not.
func TestReconnect(t *testing.T) {
	tests := []struct {
		name string
		// lose ends the session, and back, if not nil, makes it possible again.
		lose, back func(l *link, r routerDaemon)
	}{
		{
			name: "reset by the router",
			lose: func(_ *link, r routerDaemon) { r.reset() },
		},
		{
			name: "router restarted",
			lose: func(_ *link, r routerDaemon) { r.Kill() },
			back: func(_ *link, r routerDaemon) { r.start() },
		},
		{
			name: "link cut",
			lose: func(l *link, _ routerDaemon) { l.cut(true) },
			back: func(l *link, _ routerDaemon) { l.cut(false) },
		},
	}
	for _, name := range []string{"FRR", "BIRD"} {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				l := newLink(t)
				n := l.neighbor()
				n.HoldTime, n.KeepaliveTime = 3*time.Second, time.Second
				r := newDaemon(t, name, kind{}, l, n)
				r.start()
				_, e := openSession(t, n, path("203.0.113.1/32", l.v4(1)))
				up := func() bool { return e.last().State == bgp.EstablishedState }
				wait(t, "established", up)

				was := e.count(bgp.EstablishedState)
				tt.lose(l, r)
				if tt.back != nil {
					wait(t, "lost", func() bool { return !up() })
					<-time.After(1500 * time.Millisecond) // attempts fail
					if got := e.last().Reason; got == "" {
						t.Error("no reason is told")
					}
					tt.back(l, r)
				}
				began := time.Now()
				wait(t, "established again", func() bool { return e.count(bgp.EstablishedState) > was })
				wait(t, "the route", func() bool { return len(r.routes()) == 1 })
				took := time.Since(began).Round(time.Millisecond)
				t.Logf("the route is back after %v", took)
				if took > 3*time.Second {
					t.Errorf("that is too late")
				}
			})
		}
	}
}

// TestRearm: a session comes up although its library could not be made ready for
// it, once.
func TestRearm(t *testing.T) {
	l := newLink(t)
	newDecent(t, l)
	n := l.neighbor()
	lib, err := newLibrary(n, nil)
	must(t, err)
	must(t, lib.disarm())
	e := &events{}
	s := begin(n, lib, e.notify)
	defer func() { must(t, s.Close(bgp.Cease)) }()
	wait(t, "established", func() bool { return e.last().State == bgp.EstablishedState })
}
