package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Law: no port comes twice in a run before all have, and a port that is in use
// is skipped.
func TestDialerPorts(t *testing.T) {
	d := newDialer(time.Unix(0, int64(portTime)*(ports-3)))
	seen := map[int]bool{}
	for i := range ports {
		p := d.port()
		if p < firstPort || p >= firstPort+ports || seen[p] {
			t.Fatalf("port %d is the %d.", p, i)
		}
		seen[p] = true
	}

	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	used := held.Addr().(*net.TCPAddr).Port
	d.next = (used - firstPort + ports) % ports
	c, err := d.dial(t.Context(), "tcp4", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.LocalAddr().(*net.TCPAddr).Port; got == used {
		t.Errorf("connected from port %d, which was in use", got)
	}
}
