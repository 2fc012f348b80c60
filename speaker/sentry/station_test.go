package sentry

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/internal/netnstest"
)

// stationEnv makes this program a station instead of a test.
const stationEnv = "HERALD_SENTRY_STATION"

// An order is what a station is to be: a Sentry among members, or something
// that keeps a processor busy.
type order struct {
	Node    string
	Members map[string]netip.Addr
	Busy    bool
}

const stationPort = 7946

func TestMain(m *testing.M) {
	if text := os.Getenv(stationEnv); text != "" {
		if err := serve(text); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is a station: a process of its own, as a speaker is.
func serve(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	for o.Busy {
		_ = o.Node
	}
	addr := o.Members[o.Node]
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, stationPort).String())
	if err != nil {
		return err
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_ = c.Close()
		}
	}()
	s := New(Config{Node: o.Node, Addr: addr, Port: stationPort, Logger: log.LoggerFunc(printLine)})
	s.SetMembers(o.Members)
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer cancel()
	return s.Start(ctx)
}

// printLine logs as: nanoseconds, message, then the value of the keys that the
// test looks at.
func printLine(keyvals ...any) error {
	values := map[string]any{}
	for i := 0; i+1 < len(keyvals); i += 2 {
		values[fmt.Sprint(keyvals[i])] = keyvals[i+1]
	}
	_, err := fmt.Printf("%d %v|%v|%v|%v\n", time.Now().UnixNano(), values["msg"], values["member"], values["reason"], values["error"])
	return err
}

// A line is what a station said.
type line struct {
	at                  time.Time
	msg, member, reason string
	rest                string
}

// A station is a process that runs a Sentry in a namespace.
type station struct {
	t    *testing.T
	node string
	cmd  *exec.Cmd
	news chan struct{}

	mu    sync.Mutex
	lines []line
}

// startStation runs this program in a namespace, or in ours if that is nil.
func startStation(t *testing.T, ns *netnstest.Namespace, o order) *station {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, node: o.Node, news: make(chan struct{}, 1)}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), stationEnv+"="+string(text))
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := s.cmd.Start
	if ns != nil {
		start = func() error { return ns.Do(s.cmd.Start) }
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.read(out) }()
	t.Cleanup(func() {
		s.signal(unix.SIGKILL)
		<-ended
		_ = s.cmd.Wait()
	})
	return s
}

// read takes in what the station says.
func (s *station) read(out io.Reader) {
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var nanos int64
		stamp, text, _ := strings.Cut(sc.Text(), " ")
		if _, err := fmt.Sscan(stamp, &nanos); err != nil {
			text = sc.Text()
		}
		f := append(strings.SplitN(text, "|", 4), "", "", "")
		s.mu.Lock()
		s.lines = append(s.lines, line{time.Unix(0, nanos), f[0], f[1], f[2], f[3]})
		s.mu.Unlock()
		token(s.news)
	}
}

func (s *station) signal(sig unix.Signal) {
	_ = unix.Kill(s.cmd.Process.Pid, sig) // it may have ended
}

// said returns the lines from a time on.
func (s *station) said(from time.Time) []line {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []line
	for _, l := range s.lines {
		if !l.at.Before(from) {
			out = append(out, l)
		}
	}
	return out
}

// await waits for a line from a time on that says msg, in its message or as its
// reason, of a member.
func (s *station) await(from time.Time, msg, member string) line {
	s.t.Helper()
	var found line
	s.until(from, msg+" "+member, func(lines []line) bool {
		i := slices.IndexFunc(lines, func(l line) bool { return (l.msg == msg || l.reason == msg) && l.member == member })
		if i >= 0 {
			found = lines[i]
		}
		return i >= 0
	})
	return found
}

// awaitUp waits until the last that was said of a member is that it is up.
func (s *station) awaitUp(member string) {
	s.t.Helper()
	s.until(time.Time{}, member+" up", func(lines []line) bool {
		lines = slices.DeleteFunc(lines, func(l line) bool { return l.member != member })
		return len(lines) > 0 && lines[len(lines)-1].reason == stateUp.String()
	})
}

// until waits until the lines from a time on are as they should.
func (s *station) until(from time.Time, what string, good func([]line) bool) {
	s.t.Helper()
	limit := time.After(20 * time.Second)
	for !good(s.said(from)) {
		select {
		case <-s.news:
		case <-limit:
			s.t.Fatalf("%s did not say: %s; it said %v", s.node, what, s.said(from))
		}
	}
}

// accused returns those whom the station called silent from a time on.
func (s *station) accused(from time.Time) []string {
	var out []string
	for _, l := range s.said(from) {
		if l.msg == msgSilent {
			out = append(out, l.member)
		}
	}
	return out
}

// msgSilent is what a Sentry logs of a node that it begins to accuse, msgHeard
// when it ends to.
const (
	msgSilent = "member silent"
	msgHeard  = "member not silent any more"
)
