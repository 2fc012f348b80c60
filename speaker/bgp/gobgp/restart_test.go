package gobgp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/heraldlb/herald/speaker/bgp"
)

// isSpeaker holds the task of a process that has one session.
const isSpeaker = "GOBGP_TEST_SPEAKER"

// A task is what such a process has to do.
type task struct {
	Neighbor bgp.Neighbor
	Paths    []bgp.Path
	// Farewell is how the session ends when the input of the process does.
	Farewell bgp.Farewell
}

// speak is the main function of a process that has one session.
func speak(text string) {
	var do task
	if err := json.Unmarshal([]byte(text), &do); err != nil {
		panic(err)
	}
	s, err := Router{}.Open(do.Neighbor, do.Paths, func(e bgp.Event) { fmt.Println(e.State, e.Reason) })
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(do.Farewell); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// A speaker is such a process.
type speaker struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer
	up    chan struct{} // closed when the session is established
}

func newSpeaker(t testing.TB, do task) *speaker {
	t.Helper()
	text, err := json.Marshal(do)
	must(t, err)
	s := &speaker{t: t, cmd: exec.Command(os.Args[0]), up: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), isSpeaker+"="+string(text))
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	must(t, err)
	s.stdin = in
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	must(t, s.cmd.Start())
	t.Cleanup(s.kill)
	go func() {
		var once sync.Once
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if strings.HasPrefix(sc.Text(), "Established") {
				once.Do(func() { close(s.up) })
			}
		}
	}()
	return s
}

func (s *speaker) established() {
	s.t.Helper()
	select {
	case <-s.up:
	case <-time.After(20 * time.Second):
		s.t.Fatal("not established")
	}
}

// kill ends the process without a word.
func (s *speaker) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// close has it end its session, and returns then.
func (s *speaker) close() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
}

// TestRestart: the router forwards to the node all the time while its speaker is
// killed, or goes, and comes back.
func TestRestart(t *testing.T) {
	ends := []struct {
		name     string
		farewell bgp.Farewell
		end      func(s *speaker)
	}{
		{name: "killed", end: (*speaker).kill},
		{name: "kept", farewell: bgp.Keep, end: (*speaker).close},
	}
	for _, name := range []string{"FRR", "BIRD"} {
		for _, tt := range ends {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				l := newLink(t)
				do := task{Neighbor: l.neighbor(), Farewell: tt.farewell}
				do.Neighbor.GracefulRestart = true
				do.Paths = append(do.Paths, path("203.0.113.1/32", l.v4(1)), path("2001:db8:ffff::1/128", l.v6(1)))
				r := newDaemon(t, name, kind{}, l, do.Neighbor)
				r.start()
				first := newSpeaker(t, do)
				first.established()
				w := l.watch(do.Paths[0].Prefix)
				wait(t, "the route is there", w.there.Load)

				w.gaps.Store(0)
				tt.end(first)
				wait(t, "the router knows", func() bool { return !r.established() })
				<-time.After(time.Second) // an image is pulled
				if len(r.routes()) != 2 {
					t.Errorf("meanwhile: %v", r.routes())
				}
				do.Paths = do.Paths[:1]
				began := time.Now()
				second := newSpeaker(t, do)
				second.established()
				t.Logf("established again after %v", time.Since(began))
				// The end-of-RIB markers end what is not announced any more.
				wait(t, "a fresh route and no other one", func() bool {
					all := r.routes()
					route, ok := all[do.Paths[0].Prefix.String()]
					return ok && !route.Stale && len(all) == 1 && r.established()
				})
				<-time.After(500 * time.Millisecond) // nothing happens late
				if n := w.gaps.Load(); n > 0 {
					t.Errorf("the route was missing in %d looks", n)
				}
				if n := w.looks.Load(); n < 50 {
					t.Errorf("only %d looks", n)
				}
			})
		}
	}
}

// A watcher looks all the time whether a router forwards to a prefix.
type watcher struct {
	there       atomic.Bool
	looks, gaps atomic.Int64
}

// watch looks at a router's kernel.
func (l *link) watch(p netip.Prefix) *watcher {
	w := &watcher{}
	stop, done := make(chan struct{}), make(chan struct{})
	l.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		_ = l.router.Do(func() error {
			for {
				there := false
				routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
				for _, r := range routes {
					there = there || r.Dst != nil && r.Dst.String() == p.String()
				}
				if err == nil {
					w.looks.Add(1)
					w.there.Store(there)
					if !there {
						w.gaps.Add(1)
					}
				}
				select {
				case <-stop:
					return nil
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}()
	return w
}
