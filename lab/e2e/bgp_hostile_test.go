package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// hostile is where this program, run again on a host of the lab, is a router
// that means no good.
var hostile = flag.String("hostile", "", "be a hostile router on this address, until interrupted")

// maxGrowth bounds what a hostile router may make a speaker grow by.
const maxGrowth = 20 << 20

// A router that sends what no router should crashes no speaker, makes none grow,
// and disturbs no other session.
func testHostile(t *testing.T, c *cluster) {
	const on = "client2"
	c.peering(t, bothRouters("")...)
	c.advertise(t, "a", "")
	addr := c.routedService(t, service{name: "brave"}, 1)
	want := paths(c.nodes, "path 64512", host(1)...)
	c.everywhere(t, "before", want)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	evil := c.Command(context.Background(), "exec", on, "--", self, "-test.run=^TestActHostile$", "-hostile=:179")
	var said bytes.Buffer
	evil.Stdout = &said
	if err := evil.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = evil.Process.Signal(os.Interrupt)
		_ = evil.Wait()
	})
	before := c.residents(t)
	since := moment()
	lasting := 10 * time.Second
	if *soak {
		lasting = 3 * time.Minute
	}
	probes := c.through(t, 1, lasting)
	c.apply(t, peer{name: "evil4", asn: -1, more: "dynamicASN: external, gracefulRestart: true"}.manifest(c.hostAddr(t, on, c.segments[0].Addr()).String())+
		peer{name: "evil6", asn: -1, more: "dynamicASN: external, holdTime: 3s"}.manifest(c.hostAddr(t, on, c.segments[1].Addr()).String()))
	unharmed(t, "hostile router", probes.wait(t), 0)
	for pod, rss := range c.residents(t) {
		t.Logf("%s: %.1f MB resident, %.1f before", pod, rss/(1<<20), before[pod]/(1<<20))
		if was, ok := before[pod]; !ok || rss-was > maxGrowth {
			t.Errorf("%s: resident %.1f MB, before the hostile router %.1f", pod, rss/(1<<20), was/(1<<20))
		}
	}
	for _, name := range routers {
		c.undisturbed(t, name, "hostile router", since)
	}
	for _, pod := range c.pods(t, "speaker") {
		if n := pod.Status.ContainerStatuses[0].RestartCount; n > 0 && pod.Status.ContainerStatuses[0].State.Running.StartedAt.After(since) {
			t.Errorf("%s: started again %d times", pod.Name, n)
		}
	}
	c.everywhere(t, "after", want)
	c.answers(t, addr...)
	_ = evil.Process.Signal(os.Interrupt)
	_ = evil.Wait()
	t.Logf("the hostile router: %s", said.String())
	if !bytes.Contains(said.Bytes(), []byte("completed")) {
		t.Error("no speaker has completed a session with the hostile router")
	}
}

// residents returns the resident memory of each speaker.
func (c *cluster) residents(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, pod := range c.pods(t, "speaker") {
		out[pod.Name] = c.metric(t, pod.Name, metricsPort["speaker"], "process_resident_memory_bytes")
	}
	return out
}

// TestActHostile is no test: it is the hostile router.
func TestActHostile(t *testing.T) {
	if *hostile == "" {
		t.Skip("is a router when testHostile runs it")
	}
	l, err := net.Listen("tcp", *hostile)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			deeds[i%len(deeds)](conn)
		}()
	}
}

// deeds are what the hostile router does with a connection, one after another.
var deeds = []func(net.Conn){
	func(net.Conn) {}, // hangs up
	func(c net.Conn) { _, _ = io.Copy(c, noise{}) },
	func(c net.Conn) { _, _ = c.Write(message(1, []byte{9, 0xfb, 0xf4, 0, 90, 1, 2, 3, 4, 0})) },      // of version 9
	func(c net.Conn) { _, _ = c.Write(message(1, []byte{4, 0xfb, 0xf4, 0, 1, 1, 2, 3, 4, 9, 2, 7})) }, // cut off
	func(c net.Conn) { after(c, message(2, []byte{0, 0, 0, 6, 0x80, 14, 3, 0, 1, 1})) },               // 3 octets of MP_REACH_NLRI
	func(c net.Conn) { after(c, message(2, []byte{0xff, 0xff, 0xff, 0xff})) },
	func(c net.Conn) { after(c, message(3, []byte{99, 99, 1, 2, 3})) },
	func(c net.Conn) { after(c, message(77, nil)) },
	func(c net.Conn) { after(c, fullTable()) },
	func(c net.Conn) { after(c, nil); _, _ = io.Copy(c, noise{}) },
}

// noise is random octets without an end.
type noise struct{}

func (noise) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return len(p), nil
}

// message returns one of BGP's (RFC 4271 section 4.1).
func message(kind byte, body []byte) []byte {
	b := bytes.Repeat([]byte{0xff}, 16)
	b = binary.BigEndian.AppendUint16(b, uint16(19+len(body)))
	return append(append(b, kind), body...)
}

// after completes a session and sends what comes then, and reads until the other
// end has enough.
func after(c net.Conn, what []byte) {
	open := []byte{4, 0xfb, 0xf4, 0, 90, 192, 0, 2, 66}
	capabilities := []byte{1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, 0xfb, 0xf4} // IPv4, IPv6, AS64500
	open = append(open, byte(2+len(capabilities)), 2, byte(len(capabilities)))
	_, _ = c.Write(message(1, append(open, capabilities...)))
	header := make([]byte, 19)
	if _, err := io.ReadFull(c, header); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint16(header[16:]))-19); err != nil {
		return
	}
	_, _ = c.Write(message(4, nil))
	if _, err := io.ReadFull(c, header); err != nil || header[18] != 4 {
		return
	}
	_, _ = os.Stdout.WriteString("completed ")
	if _, err := c.Write(what); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c)
}

// fullTable is a table of a million prefixes, as UPDATEs of 900.
func fullTable() []byte {
	attributes := []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4, 0x40, 3, 4, 192, 0, 2, 66}
	head := append([]byte{0, 0, 0, byte(len(attributes))}, attributes...)
	var all []byte
	for prefix := uint32(11) << 24; prefix < 11<<24+1_000_000<<4; {
		body := bytes.Clone(head)
		for range 800 {
			body = append(body, 28)
			body = binary.BigEndian.AppendUint32(body, prefix)
			prefix += 16
		}
		all = append(all, message(2, body)...)
	}
	return all
}
