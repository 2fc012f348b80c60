package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
)

// A monitor tells of the changes of a host's routes, as they happen.
type monitor struct {
	cmd   *exec.Cmd
	lines chan string
}

// watchRoutes starts a monitor on a host. The caller ends it.
func (r *run) watchRoutes(ctx context.Context, host string) (*monitor, error) {
	m := &monitor{cmd: r.Command(ctx, "exec", host, "--", "ip", "-o", "monitor", "route"), lines: make(chan string, 1000)}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(m.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			m.lines <- text.Text()
		}
	}()
	return m, nil
}

// end ends the monitor.
func (m *monitor) end() {
	_ = m.cmd.Process.Signal(os.Interrupt) // it may have ended
	for range m.lines {
		// What it still has to say is of no use.
	}
	_ = m.cmd.Wait() // it was interrupted
}

// routedFresh measures how soon routers forward to the addresses of a new
// Service.
func (r *run) routedFresh(ctx context.Context) error {
	if err := errors.Join(r.setUpBGP(ctx), r.peer(ctx, watchedFast), r.converged(ctx, watchedFast)); err != nil {
		return err
	}
	waits := make([][]float64, len(ways))
	for i := range r.o.runs {
		var own []netip.Addr
		for _, p := range routed {
			own = append(own, drive.At(p, freshNumber+i))
		}
		if err := r.forwardedAfter(ctx, fmt.Sprintf("routed-%d", i), own, waits); err != nil {
			return err
		}
	}
	r.table.Part("BGP: Service of both families created, to the first route in the router's kernel, of the slower family")
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title, Unit: "ms", Samples: waits[i], Most: figures.AtMost(100)})
	}
	return nil
}

// forwardedAfter creates a Service with addresses, and adds how long it took from
// then until each router forwarded to all of them.
func (r *run) forwardedAfter(ctx context.Context, name string, addrs []netip.Addr, waits [][]float64) error {
	var monitors []*monitor
	for _, w := range ways {
		m, err := r.watchRoutes(ctx, w.router)
		if err != nil {
			return err
		}
		defer m.end()
		monitors = append(monitors, m)
	}
	if err := pause(ctx, baseline); err != nil {
		return err
	}
	type answer struct {
		way int
		at  time.Time
		err error
	}
	answers := make(chan answer, len(ways)) // no sender waits
	began := time.Now()
	if err := r.create(ctx, service{name: name, annotation: forAddresses, wish: wish(addrs)}); err != nil {
		return err
	}
	for i, m := range monitors {
		go func() {
			// Routes of the two families come in either order: what was passed over
			// while the first was waited for would be missed.
			at, err := m.seenAll(ctx, addrs)
			answers <- answer{i, at, err}
		}()
	}
	for range ways {
		a := <-answers
		if a.err != nil {
			return a.err
		}
		waits[a.way] = append(waits[a.way], milliseconds(a.at.Sub(began)))
	}
	return r.kube.CoreV1().Services("default").Delete(ctx, name, metav1.DeleteOptions{})
}

// seenAll waits until routes for all of the addresses were added or replaced.
func (m *monitor) seenAll(ctx context.Context, addrs []netip.Addr) (time.Time, error) {
	missing := map[string]bool{}
	for _, a := range addrs {
		missing[a.String()] = true
	}
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	for {
		select {
		case line, ok := <-m.lines:
			if !ok {
				return time.Time{}, errors.New("the monitor of routes has ended")
			}
			first, _, _ := strings.Cut(line, " ")
			delete(missing, first)
			if len(missing) == 0 {
				return time.Now(), nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("no route to %v: %w", missing, ctx.Err())
		}
	}
}
