package arping

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Config says what to ask, whom, and how often.
type Config struct {
	// Target is the address that is asked for.
	Target netip.Addr
	// Interface is the interface to ask on.
	Interface string
	// Every is the time between questions and For how long they go on. With
	// For zero there is one question.
	Every, For time.Duration
	// Wait is how long answers to the last question are waited for.
	Wait time.Duration
	// Hosts are link-layer addresses of the segment by host name. Answers are
	// reported with the names.
	Hosts map[string]net.HardwareAddr
	// Each names those of Hosts to ask, each alone; empty means to ask
	// everybody at once.
	Each []string
}

// Run asks until c.For is over or ctx ends, and reports.
func Run(ctx context.Context, c Config) (*Report, error) {
	if !c.Target.IsValid() || c.Wait <= 0 || c.For < 0 || (c.For > 0 && c.Every <= 0) {
		return nil, fmt.Errorf("ask for %s every %s for %s, wait %s: must be more than 0", c.Target, c.Every, c.For, c.Wait)
	}
	for _, name := range c.Each {
		if c.Hosts[name] == nil {
			return nil, fmt.Errorf("ask host %q: no such host on the segment", name)
		}
	}
	c.Target = c.Target.Unmap().WithZone("")
	link, id, err := c.identity()
	if err != nil {
		return nil, err
	}
	sock, err := listen(link, c.Target)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Interface, err)
	}
	defer sock.close()
	r, err := c.run(ctx, sock, id)
	if err != nil {
		return nil, fmt.Errorf("ask on %s: %w", c.Interface, err)
	}
	return r, nil
}

// identity returns the interface to ask on and who asks.
func (c Config) identity() (*net.Interface, Identity, error) {
	link, err := net.InterfaceByName(c.Interface)
	if err != nil {
		return nil, Identity{}, fmt.Errorf("interface %s: %w", c.Interface, err)
	}
	addrs, err := link.Addrs()
	if err != nil {
		return nil, Identity{}, fmt.Errorf("interface %s: %w", c.Interface, err)
	}
	var segments []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			segments = append(segments, p)
		}
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	id, err := NewIdentity(c.Target, segments, random)
	return link, id, err
}

// run asks on sock and collects what comes until it is time to stop.
func (c Config) run(ctx context.Context, sock *socket, id Identity) (*Report, error) {
	var (
		wg      sync.WaitGroup
		events  []Event
		readErr error
		start   = time.Now()
	)
	wg.Go(func() {
		events, readErr = collect(sock, start, c.Target, id.MAC)
	})
	asked, askErr := c.ask(ctx, sock, id, start)
	sock.close() // ends collect
	wg.Wait()
	if err := errors.Join(askErr, readErr); err != nil {
		return nil, err
	}

	names := map[string]string{}
	for name, mac := range c.Hosts {
		names[mac.String()] = name
	}
	r := Summarize(c.Every, asked, events, names)
	r.Target, r.Interface, r.Asked = c.Target.String(), c.Interface, c.Each
	r.Started, r.ForMs = start.UTC(), ms(c.For)
	return r, nil
}

// ask sends the questions on a fixed schedule, waits for the last answers, and
// returns when each round was asked.
func (c Config) ask(ctx context.Context, sock *socket, id Identity, start time.Time) ([]time.Duration, error) {
	var frames [][]byte
	for _, name := range c.Each {
		frames = append(frames, Question(id, c.Target, c.Hosts[name]))
	}
	if frames == nil {
		frames = append(frames, Question(id, c.Target, nil))
	}
	var asked []time.Duration
	for due := time.Duration(0); due < max(c.For, 1); due += max(c.Every, 1) {
		if !sleepUntil(ctx, start.Add(due)) {
			return asked, nil
		}
		asked = append(asked, time.Since(start))
		for _, f := range frames {
			if err := sock.send(f); err != nil {
				return nil, fmt.Errorf("send: %w", err)
			}
		}
	}
	sleepUntil(ctx, time.Now().Add(c.Wait))
	return asked, nil
}

// collect reads claims until the socket is closed.
func collect(sock *socket, start time.Time, target netip.Addr, me net.HardwareAddr) ([]Event, error) {
	var events []Event
	buf := make([]byte, 2048)
	for {
		n, at, err := sock.receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		if claim, ok := Parse(buf[:n], target, me); ok {
			// The kernel's time is wall time: leave the monotonic part out.
			events = append(events, Event{At: at.Sub(start.Round(0)), Claim: claim})
		}
	}
}

// sleepUntil waits for the time t and reports whether it came before ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
