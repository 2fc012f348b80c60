package layer2

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/speaker/desired"
)

// What HERALD_MEASURE=1 asks for: the measurements, which take a minute and want
// a machine that does nothing else. stationEnv is set in the process that plays
// the other stations.
const (
	measureEnv = "HERALD_MEASURE"
	stationEnv = "HERALD_MEASURE_STATION"
)

// The storm: requests per second for addresses that are not ours, and for ours,
// and how long it lasts.
const (
	stormRate   = 100_000
	ownRate     = 100
	stormRound  = 3 * time.Second
	stormRounds = 7
)

// A stormRoundResult is what the station tells after each round, and before the
// first one.
type stormRoundResult struct {
	Foreign, Asked, Answered int
	// Slowest is how long the slowest answer took.
	Slowest time.Duration
}

// scattered returns n addresses on h0 of which no two follow one another.
func scattered(n int) []desired.Layer2Address {
	var w []desired.Layer2Address
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, byte(i * 7 >> 16), byte(i * 7 >> 8), byte(i * 7)})
		w = append(w, desired.Layer2Address{Address: a, Interfaces: []string{"h0"}})
	}
	return w
}

// Under a storm of requests for foreign addresses, this process is not busy and
// answers every request for its own. Run on demand; the storm comes from another
// process, whose sending includes the work of this host's kernel.
func TestMeasureStorm(t *testing.T) {
	if os.Getenv(measureEnv) == "" {
		t.Skip("a measurement: set " + measureEnv)
	}
	for _, own := range []int{1, 1000, 10_000} {
		t.Run(fmt.Sprint(own, " own addresses"), func(t *testing.T) { measureStorm(t, own) })
	}
}

func measureStorm(t *testing.T, own int) {
	lan := newVethLAN(t, "h0")
	_ = lan.peers["h0"].Close() // the station is another process
	a, in := lan.announcer(t)
	r := startIn(t, a, lan, in)
	defer r.stop()
	r.set(scattered(own))

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStation$", "-test.count=1")
	cmd.Env = append(os.Environ(), stationEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	lan.ns.Must(t, cmd.Start) // it is born in the namespace of its parent's thread
	var cpu []float64
	var sum stormRoundResult
	lines, began, used := bufio.NewScanner(out), time.Time{}, time.Duration(0)
	for n := 0; n <= stormRounds && lines.Scan(); n++ {
		var res stormRoundResult
		if err := json.Unmarshal(lines.Bytes(), &res); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		now, usage := time.Now(), cpuTime(t)
		if n > 0 {
			cpu = append(cpu, 100*float64(usage-used)/float64(now.Sub(began)))
			sum.Foreign += res.Foreign
			sum.Asked += res.Asked
			sum.Answered += res.Answered
			sum.Slowest = max(sum.Slowest, res.Slowest)
		}
		began, used = now, usage
	}
	_ = cmd.Wait()
	if len(cpu) != stormRounds {
		t.Fatalf("%d rounds, want %d", len(cpu), stormRounds)
	}
	slices.Sort(cpu)
	rate := float64(sum.Foreign) / (stormRounds * stormRound.Seconds())
	t.Logf("%d own addresses, %.0f foreign requests/s: CPU in %% of a core: n=%d median=%.2f min=%.2f max=%.2f; own requests: %d of %d answered, slowest %s",
		own, rate, len(cpu), cpu[len(cpu)/2], cpu[0], cpu[len(cpu)-1], sum.Answered, sum.Asked, sum.Slowest)
	if cpu[len(cpu)/2] > 5 {
		t.Errorf("CPU %.2f %% of a core, want at most 5", cpu[len(cpu)/2])
	}
	if sum.Answered != sum.Asked {
		t.Errorf("%d of %d own requests answered", sum.Answered, sum.Asked)
	}
}

// cpuTime is what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestStation is no test: it is the other stations of TestMeasureStorm, in a
// process of their own.
func TestStation(t *testing.T) {
	if os.Getenv(stationEnv) == "" {
		t.Skip("runs as part of a measurement")
	}
	ifi, err := net.InterfaceByName("ph0")
	if err != nil {
		t.Fatal(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(stormRoundResult{}) // ready
	for range stormRounds {
		foreign := make(chan int, 1)
		go func() { foreign <- flood(t, ifi, time.Now().Add(stormRound)) }()
		res := askOwn(t, ifi, time.Now().Add(stormRound))
		res.Foreign = <-foreign
		_ = json.NewEncoder(os.Stdout).Encode(res)
	}
}

// flood sends requests for foreign addresses at stormRate, and returns how many.
func flood(t *testing.T, ifi *net.Interface, end time.Time) int {
	nothing, _ := bpf.Assemble([]bpf.Instruction{drop})
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: nothing})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.Close()
	frame, to := ask(t, broadcast, "172.16.0.1", "172.16.0.2"), &packet.Addr{HardwareAddr: broadcast.hw()}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent := 0
	for began := time.Now(); time.Now().Before(end); <-tick.C {
		for due := int(time.Since(began).Seconds() * stormRate); sent < due; sent++ {
			binary.BigEndian.PutUint32(frame[arpTarget:], 0xac100000|rand.Uint32()>>12)
			if _, err := c.WriteTo(frame, to); err != nil {
				t.Error(err)
				return sent
			}
		}
	}
	return sent
}

// askOwn asks for an address of the host at ownRate, and counts the answers.
func askOwn(t *testing.T, ifi *net.Interface, end time.Time) (res stormRoundResult) {
	program, _ := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: arpOperation, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(arp.OperationReply), SkipTrue: 1},
		drop, pass,
	})
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: program})
	if err != nil {
		t.Error(err)
		return res
	}
	defer c.Close()
	frame, to := ask(t, broadcast, "10.255.0.1", "10.0.0.0"), &packet.Addr{HardwareAddr: broadcast.hw()}
	var asked atomic.Int64 // when, in nanoseconds
	answers := make(chan time.Duration, 1<<10)
	go func() {
		defer close(answers)
		buf := make([]byte, 128)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if f, ok := parseARP(buf[:n]); ok && f.destination == stranger {
				answers <- time.Duration(time.Now().UnixNano() - asked.Load())
			}
		}
	}()
	tick := time.NewTicker(time.Second / ownRate)
	defer tick.Stop()
	for ; time.Now().Before(end); <-tick.C {
		asked.Store(time.Now().UnixNano())
		if _, err := c.WriteTo(frame, to); err != nil {
			t.Error(err)
		}
		res.Asked++
		select {
		case d := <-answers:
			res.Answered++
			res.Slowest = max(res.Slowest, d)
		case <-time.After(time.Second):
		}
	}
	return res
}

// BenchmarkKernelFilter is the cost of a foreign request to the kernel of this
// host, sending included: without our socket, and with its filter for as many
// addresses as the name says, no two of which follow one another.
func BenchmarkKernelFilter(b *testing.B) {
	nothing, _ := bpf.Assemble([]bpf.Instruction{drop})
	for _, own := range []int{-1, 0, 1, 100, 1000, 10_000} {
		name := fmt.Sprint(own, " addresses")
		if own < 0 {
			name = "no socket"
		}
		b.Run(name, func(b *testing.B) {
			lan := newVethLAN(b, "h0")
			_ = lan.peers["h0"].Close()
			var peer *packet.Conn
			err := lan.ns.Do(func() error {
				ifi, err := net.InterfaceByName("ph0")
				if err == nil {
					peer, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: nothing})
				}
				if err != nil || own < 0 {
					return err
				}
				return filteredSocket(b, own)
			})
			if err != nil {
				b.Fatal(err)
			}
			defer peer.Close()
			frame, to := ask(b, broadcast, "172.16.0.1", "172.16.0.2"), &packet.Addr{HardwareAddr: broadcast.hw()}
			for b.Loop() {
				binary.BigEndian.PutUint32(frame[arpTarget:], 0xac100000|rand.Uint32()>>12)
				if _, err := peer.WriteTo(frame, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// filteredSocket opens the socket of a port that holds some addresses, on h0 of
// this thread's namespace.
func filteredSocket(b *testing.B, own int) error {
	l, err := host{}.link("h0")
	if err != nil {
		return err
	}
	c, err := host{}.open(l, arpWire{}.etherType())
	if err != nil {
		return err
	}
	b.Cleanup(func() { _ = c.Close() })
	p := &port{wire: arpWire{}, conn: c}
	for _, w := range scattered(own) {
		p.keys = append(p.keys, p.wire.key(w.Address))
	}
	slices.Sort(p.keys)
	return p.setFilter()
}
