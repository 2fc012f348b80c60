package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/apps/echo/answer"
)

func TestGet(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(answer.Answer{Pod: "p", Node: "n", Client: "[::ffff:192.0.2.1]:99"}.JSON())
	})
	mux.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) })
	srv := httptest.NewServer(mux)
	defer srv.Close()

	tests := []struct {
		name, path string
		want       Result
	}{
		{name: "echo backend", path: "/echo", want: Result{Pod: "p", Node: "n", Client: "192.0.2.1"}},
		{name: "another backend", path: "/other", want: Result{}},
		{name: "redirect", path: "/moved", want: Result{Reason: "status 302"}},
		{name: "unavailable", path: "/bad", want: Result{Reason: "status 503"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newGetter(srv.URL + tt.path).get(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a new connection each time", func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string]bool{}
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.RemoteAddr] = true
		}))
		g := newGetter(srv.URL)
		for range 3 {
			g.get(t.Context())
		}
		srv.Close()
		if len(seen) != 3 {
			t.Errorf("3 probes came over %d connections", len(seen))
		}
	})
}

func TestReason(t *testing.T) {
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{name: "own deadline", err: &url.Error{Err: context.DeadlineExceeded}, want: "timeout"},
		{name: "socket deadline", err: dial(os.ErrDeadlineExceeded), want: "timeout"},
		{name: "tcp gave up", err: dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), want: "timeout"},
		{name: "refused", err: dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), want: "connection refused"},
		{name: "no route", err: dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), want: "no route to host"},
		{name: "reset", err: dial(os.NewSyscallError("read", syscall.ECONNRESET)), want: "connection reset"},
		{name: "closed", err: &url.Error{Err: io.EOF}, want: "connection closed"},
		{name: "canceled", err: &url.Error{Err: context.Canceled}, want: "canceled"},
		{name: "unknown in the network", err: dial(errors.New("boom")), want: "other: boom"},
		{name: "unknown in HTTP", err: &url.Error{Op: "Get", URL: "http://x", Err: errors.New("boom")}, want: "other: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason(tt.err); got != tt.want {
				t.Errorf("reason = %q, want %q", got, tt.want)
			}
		})
	}
}
