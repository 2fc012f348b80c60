package sentry

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

// A site is a LAN whose nodes run stations.
type site struct {
	*lan
	stations map[string]*station
}

var families = []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("2001:db8:9::1/64")}

// newSite starts stations and waits until everybody sees everybody.
func newSite(t *testing.T, first netip.Prefix, names ...string) *site {
	t.Helper()
	s := &site{lan: newLAN(t, first, names...), stations: map[string]*station{}}
	for _, n := range names {
		s.stations[n] = startStation(t, s.nodes[n], order{Node: n, Members: s.members})
	}
	s.allUp()
	return s
}

// allUp waits until every session is up, and has been so long enough for every
// kernel to be proven.
func (s *site) allUp() {
	s.t.Helper()
	for node, a := range s.stations {
		for other := range s.stations {
			if other != node {
				a.awaitUp(other)
			}
		}
	}
	<-time.After(200 * time.Millisecond)
}

// accused checks whom each of the nodes called silent from a time on.
func (s *site) accused(from time.Time, want map[string][]string) {
	s.t.Helper()
	got := map[string][]string{}
	for node, a := range s.stations {
		if l := a.accused(from); len(l) > 0 {
			slices.Sort(l)
			got[node] = slices.Compact(l)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("accused (-want +got):\n%s", diff)
		for node, a := range s.stations {
			s.t.Logf("%s: %v", node, a.said(from))
		}
	}
}

func TestWire(t *testing.T) {
	for _, first := range families {
		t.Run(first.String(), func(t *testing.T) {
			s := newSite(t, first, "a", "b", "c")
			s.testStopped()
			s.testCut()
			s.testPulled()
			s.testKilled()
		})
	}
}

// A process that stands still is not silent, and accuses nobody afterwards.
func (s *site) testStopped() {
	s.t.Helper()
	from := time.Now()
	s.stations["b"].signal(unix.SIGSTOP)
	s.stations["a"].await(from, stateExcused.String(), "b")
	s.stations["c"].await(from, stateExcused.String(), "b")
	<-time.After(500 * time.Millisecond)
	s.stations["b"].signal(unix.SIGCONT)
	s.allUp()
	<-time.After(300 * time.Millisecond)
	s.accused(from, nil)
}

// A node that is cut off is silent, and calls the others so; then it is not any
// more.
func (s *site) testCut() {
	s.t.Helper()
	from := time.Now()
	s.Cut("b")
	for _, p := range [][2]string{{"a", "b"}, {"c", "b"}, {"b", "a"}, {"b", "c"}} {
		s.stations[p[0]].await(from, msgSilent, p[1])
	}
	mended := time.Now()
	s.Mend("b")
	for _, p := range [][2]string{{"a", "b"}, {"c", "b"}, {"b", "a"}, {"b", "c"}} {
		s.stations[p[0]].await(mended, msgHeard, p[1])
	}
	s.allUp()
	s.accused(from, map[string][]string{"a": {"b"}, "b": {"a", "c"}, "c": {"b"}})
}

// A node that sees that its own cable is out accuses nobody.
func (s *site) testPulled() {
	s.t.Helper()
	from := time.Now()
	s.Pull("b")
	for _, n := range []string{"a", "c"} {
		s.stations[n].await(from, msgSilent, "b")
		s.stations["b"].await(from, stateWaiting.String(), n)
	}
	s.Mend("b")
	s.allUp()
	s.accused(from, map[string][]string{"a": {"b"}, "c": {"b"}})
}

// A speaker that is killed is not a silent node, neither is one that ends.
func (s *site) testKilled() {
	s.t.Helper()
	from := time.Now()
	s.stations["b"].signal(unix.SIGKILL)
	s.stations["a"].await(from, stateExcused.String(), "b")
	s.stations["c"].signal(unix.SIGTERM)
	s.stations["a"].await(from, stateWaiting.String(), "c")
	<-time.After(500 * time.Millisecond)
	s.accused(from, nil)
}

// TestMeasure prints how long it takes until a node that is cut off is silent
// to both others. It asserts little: run it with HERALD_MEASURE=1 on an idle
// machine.
func TestMeasure(t *testing.T) {
	if os.Getenv("HERALD_MEASURE") == "" {
		t.Skip("set HERALD_MEASURE to measure")
	}
	for _, first := range families {
		s := newSite(t, first, "a", "b", "c")
		var one, both []time.Duration
		for range 20 {
			from := time.Now()
			s.Cut("b")
			begin := time.Now()
			a := s.stations["a"].await(from, msgSilent, "b").at.Sub(begin)
			c := s.stations["c"].await(from, msgSilent, "b").at.Sub(begin)
			one, both = append(one, min(a, c)), append(both, max(a, c))
			s.Mend("b")
			s.allUp()
		}
		report(t, first.String()+": cut to silent at the first of two", one)
		report(t, first.String()+": cut to silent at both", both)
	}
}

// report prints what was measured.
func report(t *testing.T, what string, d []time.Duration) {
	slices.Sort(d)
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	t.Logf("%s: n %d, median %v, min %v, max %v", what, len(d), ms(d[len(d)/2]), ms(d[0]), ms(d[len(d)-1]))
}

// TestMeasureBusy keeps all processors busy for a minute, or as long as
// HERALD_MEASURE says, and counts who is called silent: nobody.
func TestMeasureBusy(t *testing.T) {
	text := os.Getenv("HERALD_MEASURE")
	if text == "" {
		t.Skip("set HERALD_MEASURE to measure")
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		length = time.Minute
	}
	s := newSite(t, families[0], "a", "b", "c")
	from := time.Now()
	for range 3 * runtime.NumCPU() {
		startStation(t, nil, order{Busy: true})
	}
	<-time.After(length)
	states := map[string]int{}
	for _, a := range s.stations {
		for _, l := range a.said(from) {
			states[l.msg+" "+l.reason]++
		}
	}
	t.Logf("%d busy loops on %d processors for %v: %v", 3*runtime.NumCPU(), runtime.NumCPU(), length, states)
	s.accused(from, nil)
}
