package bfd

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func BenchmarkParse(b *testing.B) {
	wire := somePacket(nil)
	var p packet
	for b.Loop() {
		if err := p.parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMachine(b *testing.B) {
	m := newMachine(fast, 7, at(0))
	m.receive(from(Init), at(0))
	p := from(Up)
	now := at(0)
	for b.Loop() {
		now = now.Add(50 * ms)
		m.receive(p, now)
		m.transmitted(now, 0.5)
		m.wake()
	}
}

// crowd starts a manager on each of two hosts with n sessions between them.
func crowd(t testing.TB, n int, p Profile) (managers [2]*Manager) {
	t.Helper()
	w := newVethWire(t)
	side := func(side, i int) netip.Addr {
		return netip.AddrFrom4([4]byte{198, 18 + byte(side), byte(i / 250), byte(1 + i%250)})
	}
	for s := range managers {
		var addrs []netip.Prefix
		for i := range n {
			addrs = append(addrs, netip.PrefixFrom(side(s, i), 15))
		}
		w.sides[s].Address(t, "e0", addrs...)
		managers[s] = New(Config{})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.sides[s].Do(func() error { return managers[s].Start(ctx) }) }()
		t.Cleanup(func() { cancel(); <-done })
	}
	for s, m := range managers {
		var want []Session
		for i := range n {
			want = append(want, Session{Local: side(s, i), Remote: side(1-s, i), Profile: p})
		}
		if err := m.Set(context.Background(), want); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ups(managers) != 2*n; pass(20 * ms) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d sessions up", ups(managers), 2*n)
		}
	}
	return managers
}

// ups returns how many sessions are up.
func ups(managers [2]*Manager) int {
	n := 0
	for _, m := range managers {
		for _, s := range m.Status() {
			n += bit(s.State == Up)
		}
	}
	return n
}

// processor returns the time that this process has spent on the processors.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSessions tells what a session of 50 ms times 3 costs: both ends of n
// sessions are in this process, and the kernel's work for them counts.
func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{1, 10, 100, 400} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			managers := crowd(b, n, fast)
			pass(2 * time.Second)
			const window = 5 * time.Second
			before, began := processor(b), time.Now()
			for b.Loop() {
				pass(window)
			}
			spent, took := processor(b)-before, time.Since(began)
			b.ReportMetric(100*spent.Seconds()/took.Seconds()/float64(2*n), "%core/session")
			b.ReportMetric(float64(2*n-ups(managers)), "down")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Sessions of 50 ms times 3 do not flap on a machine all of whose processors
// are busy with others' work of less priority. It takes long and disturbs
// others, so it runs only if BFD_BUSY is set, to the seconds. The kernel shares
// processors out by session (autogroup) as it does by pod: run it by setsid.
func TestBusyMachine(t *testing.T) {
	seconds, err := strconv.Atoi(os.Getenv("BFD_BUSY"))
	if err != nil {
		t.Skip("needs BFD_BUSY")
	}
	managers := crowd(t, 20, fast)
	pass(2 * time.Second)
	before := [2][]Status{managers[0].Status(), managers[1].Status()}
	for range 4 {
		cmd := exec.Command("nice", "-n", "10", "sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	pass(time.Duration(seconds) * time.Second)
	flaps := 0
	for side, m := range managers {
		for i, s := range m.Status() {
			flaps += bit(!s.Since.Equal(before[side][i].Since))
		}
	}
	if flaps > 0 {
		t.Errorf("%d sessions flapped", flaps)
	}
}
