package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/apps/echo/answer"
)

// options are the flags of the program.
type options struct {
	port  string
	drain time.Duration
	grace time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.port, "port", cmp.Or(os.Getenv("PORT"), "8080"), "TCP port to serve HTTP on (default from PORT)")
	flag.DurationVar(&o.drain, "drain", 0, "how long to go on serving, no longer ready, after a signal to stop")
	flag.DurationVar(&o.grace, "grace", 5*time.Second, "how long requests under way may take at the end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, then drains and stops.
func run(ctx context.Context, o options) error {
	pod := os.Getenv("POD_NAME")
	if pod == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("own name: %w", err)
		}
		pod = host
	}
	h := &handler{pod: pod, node: os.Getenv("NODE_NAME")}
	srv := &http.Server{Addr: ":" + o.port, Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second}

	errC := make(chan error, 1)
	go func() { errC <- srv.ListenAndServe() }()
	select {
	case err := <-errC:
		return err
	case <-ctx.Done():
	}

	h.stopping.Store(true)
	select {
	case err := <-errC:
		return err
	case <-time.After(o.drain):
	}
	end, cancel := context.WithTimeout(context.Background(), o.grace)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// handler answers requests in the name of one pod.
type handler struct {
	pod, node string
	stopping  atomic.Bool // set once, when a signal to stop came
}

// routes returns the handler of the whole server.
func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", h.health)
	mux.HandleFunc("/", h.echo)
	return mux
}

// health answers readiness probes.
func (h *handler) health(w http.ResponseWriter, _ *http.Request) {
	if h.stopping.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// echo answers who answered and whom it saw. Write errors are the client's.
func (h *handler) echo(w http.ResponseWriter, r *http.Request) {
	a := answer.Answer{Pod: h.pod, Node: h.node, Client: r.RemoteAddr}
	if r.URL.Query().Get("headers") != "" {
		a.Headers = r.Header
	}
	if r.Header.Get("Accept") == "application/json" || r.URL.Query().Get("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.JSON())
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(a.Text()))
}
