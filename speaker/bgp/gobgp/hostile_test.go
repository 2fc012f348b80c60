package gobgp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldlb/herald/speaker/bgp"
)

// A decent router has a session, and counts what it hears.
type decent struct {
	*fake
	updates, prefixes, withdrawn, markers atomic.Int64
}

func newDecent(t testing.TB, l *link) *decent {
	d := &decent{}
	d.fake = newFake(t, l, "", func(c net.Conn) {
		r, ok := greet(c, theirs())
		if !ok {
			return
		}
		for {
			kind, length, err := r.next()
			if err != nil {
				return
			}
			b, err := r.body(length)
			if err != nil {
				return
			}
			switch {
			case kind == typeUpdate && endOfRIB(b):
				d.markers.Add(1)
			case kind == typeUpdate:
				d.updates.Add(1)
				d.count(b)
			case kind == typeKeepalive:
				_, _ = c.Write(message(typeKeepalive))
			}
		}
	})
	return d
}

// count counts the IPv4 prefixes of an UPDATE.
func (d *decent) count(b []byte) {
	count := func(b []byte) (n int64) {
		for ; len(b) > 0; n++ {
			b = b[1+(int(b[0])+7)/8:]
		}
		return n
	}
	w := int(binary.BigEndian.Uint16(b))
	d.withdrawn.Add(count(b[2 : 2+w]))
	b = b[2+w:]
	d.prefixes.Add(count(b[2+int(binary.BigEndian.Uint16(b)):]))
}

// crashers are bodies of UPDATEs. The first one is known to have crashed GoBGP.
var crashers = [][]byte{
	{0, 0, 0, 6, 0x80, 14, 3, 0, 1, 1},                             // MP_REACH_NLRI of three octets
	{0, 0, 0, 6, 0x80, 14, 3, 0, 2, 1},                             // the same for IPv6
	{0, 0, 0, 7, 0x80, 14, 4, 0, 1, 1, 255},                        // a next hop that is not there
	{0, 0, 0, 5, 0x80, 15, 2, 0, 1},                                // MP_UNREACH_NLRI that ends early
	{0xff, 0xff, 0, 0},                                             // more withdrawn than there is
	{0, 0, 0xff, 0xff},                                             // more attributes than there are
	{0, 0, 0, 4, 0x40, 2, 1, 2, 24, 1},                             // AS_PATH that ends early
	{0, 0, 0, 0, 255, 1, 2, 3},                                     // a prefix of 255 bits
	{0, 0, 0, 7, 0xc0, 40, 4, 1, 0, 9, 0},                          // PREFIX_SID
	{0, 0, 0, 7, 0xc0, 23, 4, 0, 15, 0, 9},                         // TUNNEL_ENCAP
	append([]byte{0, 0, 0, 60}, bytes.Repeat([]byte{0x80}, 60)...), // nonsense
}

// TestHostile: whatever a router sends, the other session stays as it is, and
// this one is up again as soon as the router behaves.
func TestHostile(t *testing.T) {
	random := func(r *rand.Rand, n int) []byte {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	tests := []struct {
		name string
		do   func(c net.Conn, r *rand.Rand)
		// stays tells that the session is not lost.
		stays bool
	}{
		{name: "malformed OPEN", do: func(c net.Conn, r *rand.Rand) {
			_, _ = c.Write(message(typeOpen, append([]byte{4, 0xfc, 1, 0, 9, 1, 2, 3, 4}, random(r, 200)...)...))
			listen(c, newReader(c))
		}},
		{name: "crashers", stays: true, do: func(c net.Conn, _ *rand.Rand) {
			greet(c, theirs())
			for _, b := range crashers {
				_, _ = c.Write(message(typeUpdate, b...))
			}
		}},
		{name: "random UPDATE and ROUTE-REFRESH", stays: true, do: func(c net.Conn, r *rand.Rand) {
			greet(c, theirs())
			for range 20000 {
				_, _ = c.Write(message(typeUpdate, append([]byte{0, 0, 0, byte(r.Uint32())}, random(r, 200)...)...))
				_, _ = c.Write(message(typeRefresh, append([]byte{0, byte(r.IntN(4)), 0, byte(r.IntN(3))}, random(r, 4)...)...))
			}
		}},
		{name: "random messages", do: func(c net.Conn, r *rand.Rand) {
			greet(c, theirs())
			for range 100 {
				_, _ = c.Write(message(byte(r.IntN(7)), random(r, 100)...))
			}
		}},
		{name: "short NOTIFICATION", do: func(c net.Conn, _ *rand.Rand) {
			greet(c, theirs())
			_, _ = c.Write(message(typeNotification))
			listen(c, newReader(c))
		}},
		{name: "endless data", do: func(c net.Conn, r *rand.Rand) {
			greet(c, theirs())
			for {
				if _, err := c.Write(random(r, 1<<16)); err != nil {
					return
				}
			}
		}},
		{name: "flaps", do: func(c net.Conn, _ *rand.Rand) { greet(c, theirs()) }},
	}
	good := newLink(t)
	newDecent(t, good)
	_, e := openSession(t, good.neighbor(), path("203.0.113.1/32", good.v4(1)))
	wait(t, "established", func() bool { return e.last().State == bgp.EstablishedState })
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLink(t)
			var turns atomic.Int64
			newFake(t, l, "", func(c net.Conn) {
				turn := turns.Add(1)
				if turn <= 3 {
					tt.do(c, rand.New(rand.NewPCG(uint64(i), uint64(turn))))
				}
				switch {
				case turn <= 3 && !tt.stays:
					return
				case turn > 3:
					greet(c, theirs())
				}
				listen(c, newReader(c))
			})
			s, e := openSession(t, l.neighbor())
			wait(t, "established", func() bool {
				return e.last().State == bgp.EstablishedState && (tt.stays || turns.Load() > 3)
			})
			must(t, s.Announce([]bgp.Path{path("203.0.113.1/32", l.v4(1))}))
			<-time.After(200 * time.Millisecond)
			if got := turns.Load(); tt.stays && got != 1 || e.last().State != bgp.EstablishedState {
				t.Errorf("%d connections, %+v", got, e.last())
			}
		})
	}
	if n := e.count(bgp.EstablishedState); n != 1 || e.last().State != bgp.EstablishedState {
		t.Errorf("the other session:\n%v", e)
	}
}

// TestFullTable: a router may send a million routes, which cost nothing, and the
// session stays.
func TestFullTable(t *testing.T) {
	l := newLink(t)
	sent := make(chan struct{})
	newFake(t, l, "", func(c net.Conn) {
		r, _ := greet(c, theirs())
		const each = 10
		b := bytes.Repeat([]byte{0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 1, 0x40, 3, 4, 192, 0, 2, 1}, 1)
		b[3] = byte(len(b) - 4)
		b = append(b, make([]byte, 4*each)...)
		for i := range 1_000_000 / each {
			for k := range each {
				p := b[len(b)-4*(each-k):]
				p[0] = 24
				n := i*each + k
				p[1], p[2], p[3] = byte(n>>16)+1, byte(n>>8), byte(n)
			}
			if _, err := c.Write(message(typeUpdate, b...)); err != nil {
				t.Errorf("after %d: %v", i*each, err)
				break
			}
		}
		close(sent)
		_, _ = c.Write(message(typeKeepalive))
		listen(c, r)
	})
	_, e := openSession(t, l.neighbor())
	wait(t, "established", func() bool { return e.last().State == bgp.EstablishedState })
	before, began := resident(t), time.Now()
	waitFor(t, 2*time.Minute, "all sent", func() bool {
		select {
		case <-sent:
			return true
		default:
			return false
		}
	})
	grown := resident(t) - before
	t.Logf("1,000,000 routes in %v: %d KiB more", time.Since(began).Round(time.Millisecond), grown>>10)
	if grown > 20<<20 {
		t.Errorf("that is too much memory")
	}
	if e.count(bgp.EstablishedState) != 1 || e.last().State != bgp.EstablishedState {
		t.Errorf("events:\n%v", e)
	}
}

// resident returns the resident memory of this process.
func resident(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

// TestNothingLeft: sessions leave no goroutine.
func TestNothingLeft(t *testing.T) {
	l := newLink(t)
	newDecent(t, l)
	before := runtime.NumGoroutine()
	for _, farewell := range []bgp.Farewell{bgp.Cease, bgp.Keep} {
		s, e := openSession(t, l.neighbor(), path("203.0.113.1/32", l.v4(1)))
		wait(t, "established", func() bool { return e.last().State == bgp.EstablishedState })
		must(t, s.Reset("for a reason"))
		wait(t, "reset", func() bool { return e.has("for a reason") })
		wait(t, "established again", func() bool { return e.count(bgp.EstablishedState) == 2 })
		began := time.Now()
		must(t, s.Close(farewell))
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		if got := e.last(); got.Reason != closedHere {
			t.Errorf("the last event is %+v", got)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			b := make([]byte, 1<<16)
			t.Logf("%s", b[:runtime.Stack(b, true)])
		}
	})
	wait(t, "goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
}

// TestUpdates: what is the same sends nothing, and a change is one UPDATE.
func TestUpdates(t *testing.T) {
	l := newLink(t)
	d := newDecent(t, l)
	var paths []bgp.Path
	for i := range 1000 {
		paths = append(paths, path("198.18."+strconv.Itoa(i/250)+"."+strconv.Itoa(i%250)+"/32", l.v4(1)))
	}
	n := l.neighbor()
	n.GracefulRestart = true
	s, _ := openSession(t, n, paths...)
	wait(t, "all prefixes and the end-of-RIB markers", func() bool { return d.prefixes.Load() == 1000 && d.markers.Load() == 2 })
	if n := d.updates.Load(); n > 2 {
		t.Errorf("1,000 prefixes in %d UPDATEs", n)
	}
	// It has attributes of its own, or it could be in one UPDATE with the last change.
	end := path("203.0.113.1/32", l.v4(1))
	end.Attributes.MED = new(uint32(9))
	step := func(what string, want int64, do func() error) {
		t.Helper()
		before := d.updates.Load()
		must(t, do())
		// What comes after it comes after all that it has sent.
		must(t, s.Announce([]bgp.Path{end}))
		wait(t, what, func() bool { return d.updates.Load() >= before+want+1 })
		must(t, s.Withdraw([]netip.Prefix{end.Prefix}))
		wait(t, what, func() bool { return d.updates.Load() >= before+want+2 })
		if got := d.updates.Load() - before - 2; got != want {
			t.Errorf("%s: %d UPDATEs, want %d", what, got, want)
		}
	}
	step("the same again", 0, func() error { return s.Announce(paths) })
	changed := paths[7]
	changed.Attributes.MED = new(uint32(5))
	step("one changed", 1, func() error { return s.Announce([]bgp.Path{changed}) })
	step("one of all changed", 1, func() error { return s.Announce(paths) })
	step("one withdrawn", 1, func() error { return s.Withdraw(prefixesOf(paths[8].Prefix.String())) })
	step("withdrawn again", 0, func() error { return s.Withdraw(prefixesOf(paths[8].Prefix.String())) })
}
