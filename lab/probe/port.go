package probe

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The source ports that probes use, in turn.
const (
	firstPort = 10000
	ports     = 50000
	// portTime is the time in which one port is used up, across runs.
	portTime = 10 * time.Millisecond
)

// A dialer connects from one source port after the other. A port that comes
// again soon, as the kernel's choice does by chance, meets what connection
// tracking on the way still remembers of its last connection, and the probe is
// lost for no fault of the backend. The first port follows the clock, so that
// a run does not begin with those of the last one: a port comes again after
// more than 8 minutes at 100 probes a second.
type dialer struct {
	mu   sync.Mutex
	next int
}

// newDialer returns a dialer for a run that starts at the time now.
func newDialer(now time.Time) *dialer {
	return &dialer{next: int(now.UnixNano() / int64(portTime) % ports)}
}

// port returns the next port.
func (d *dialer) port() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := firstPort + d.next
	d.next = (d.next + 1) % ports
	return p
}

// dial connects to an address. Ports that are in use are skipped.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	for tries := 0; ; tries++ {
		from := net.Dialer{LocalAddr: &net.TCPAddr{Port: d.port()}, Control: share}
		c, err := from.DialContext(ctx, network, address)
		if err == nil || tries == ports/100 || !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return c, err
		}
	}
}

// share lets a socket have the port of another that is connected, or was, to
// somewhere else, so that runs side by side do not use up each other's ports.
func share(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	return cmp.Or(err, os.NewSyscallError("share port", failed))
}
