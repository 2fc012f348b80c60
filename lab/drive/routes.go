package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/router"
)

// Established is the state of a session that is up.
const Established = "Established"

// Routes asks a router what it knows.
func (l *Lab) Routes(ctx context.Context, name string) (*router.View, error) {
	out, err := l.Output(ctx, "routes", name, "--json")
	if err != nil {
		return nil, err
	}
	var v router.View
	if err := json.Unmarshal(out, &v); err != nil {
		return nil, fmt.Errorf("lab routes: %w", err)
	}
	return &v, nil
}

// Via makes a host reach a prefix through another one, in place of whatever
// led there before.
func (l *Lab) Via(ctx context.Context, host string, prefix netip.Prefix, through netip.Addr) error {
	_, err := l.Output(ctx, "exec", host, "--", "ip", "route", "replace", prefix.String(), "via", through.String(), "dev", "eth0")
	return err
}

// Lossy returns from the first failed connection of a run to the last one.
func Lossy(r *probe.Report) time.Duration {
	first, last := -1.0, -1.0
	for _, a := range r.Answers {
		if a.Reason == "" {
			continue
		}
		if first < 0 {
			first = a.AtMs
		}
		last = a.AtMs
	}
	return time.Duration((last - first) * float64(time.Millisecond))
}
