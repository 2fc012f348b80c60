package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/apps/echo/answer"
)

// maxBody bounds what is read of one answer.
const maxBody = 64 << 10

// getter asks one URL.
type getter struct {
	url    string
	client *http.Client
}

// newGetter returns a getter that makes a new connection for every request.
func newGetter(url string) *getter {
	return &getter{url: url, client: &http.Client{
		// No idle connection is kept, so this side is the first to close, and
		// the backend is left without a TIME-WAIT that might refuse a later
		// connection from the same port by way of another address.
		Transport: &http.Transport{MaxIdleConnsPerHost: -1, DialContext: newDialer(time.Now()).dial},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// get asks once. Only the fields that the answer decides are set.
func (g *getter) get(ctx context.Context) Result {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url, nil)
	if err != nil {
		return Result{Reason: reason(err)}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return Result{Reason: reason(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Result{Reason: reason(err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Result{Reason: fmt.Sprintf("status %d", resp.StatusCode)}
	}
	a, _ := answer.Parse(body)
	return Result{Pod: a.Pod, Node: a.Node, Client: host(a.Client)}
}

// host returns the address of an address and port, or all of s if it is none.
func host(s string) string {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return s
	}
	return ap.Addr().Unmap().String()
}

// Reset is why a probe failed whose connection the other side knew nothing of,
// or ended.
const Reset = "connection reset"

// errnos are the reasons that the network gives, in plain words.
var errnos = map[syscall.Errno]string{
	syscall.ECONNREFUSED:  "connection refused",
	syscall.ECONNRESET:    Reset,
	syscall.EPIPE:         Reset,
	syscall.EHOSTUNREACH:  "no route to host",
	syscall.ENETUNREACH:   "network unreachable",
	syscall.ENETDOWN:      "network down",
	syscall.EADDRNOTAVAIL: "no local port left",
	syscall.ETIMEDOUT:     "timeout",
}

// reason puts err into few words, so that failures can be counted by it.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return "timeout"
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok && errnos[no] != "" {
		return errnos[no]
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed"
	}
	// The outer errors name the URL and the local port, which differ each time.
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return "other: " + op.Err.Error()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return "other: " + u.Err.Error()
	}
	return "other: " + err.Error()
}
