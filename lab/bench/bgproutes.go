package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// arrived waits until each router has exactly n routes, and returns when.
func (b *bench) arrived(ctx context.Context, n int) (map[string]time.Time, error) {
	at := make([]time.Time, len(routers))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range routers {
		g.Go(func() error {
			return waitEvery(ctx, ask, fmt.Sprintf("%d routes at %s", n, name), func() (bool, error) {
				got, err := b.count(ctx, name)
				at[i] = time.Now()
				return got == n, err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[string]time.Time{}
	for i, name := range routers {
		out[name] = at[i]
	}
	return out, nil
}

// count returns how many routes a router has from nodes.
func (b *bench) count(ctx context.Context, name string) (int, error) {
	if strings.HasPrefix(name, "bird") {
		out, err := b.lab.Output(ctx, "router", name, "--command", "show route count table master4")
		if err != nil {
			return 0, err
		}
		return birdCount(string(out))
	}
	out, err := b.lab.Output(ctx, "router", name, "--command", "show bgp ipv4 unicast summary json")
	if err != nil {
		return 0, err
	}
	return frrCount(out)
}

// birdCount reads "10000 of 10000 routes for 10000 networks in table master4".
func birdCount(out string) (int, error) {
	for line := range strings.Lines(out) {
		var n, all, networks int
		if k, _ := fmt.Sscanf(line, "%d of %d routes for %d networks", &n, &all, &networks); k == 3 {
			return networks, nil
		}
	}
	return 0, fmt.Errorf("count of routes: %q", out)
}

// frrCount adds up the prefixes of all peers. Without a peer FRR says little.
func frrCount(out []byte) (int, error) {
	var s struct {
		Peers map[string]struct{ PfxRcd int }
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return 0, fmt.Errorf("count of routes: %w: %q", err, out)
	}
	n := 0
	for _, p := range s.Peers {
		n += p.PfxRcd
	}
	return n, nil
}

// told returns how much a router was told by nodes: UPDATEs, or changes of a
// prefix where the router counts those alone.
func (b *bench) told(ctx context.Context, name string) (int, error) {
	v, err := b.lab.Routes(ctx, name)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range v.Sessions {
		for _, count := range []*int{s.Updates, s.Changes} {
			if count != nil {
				n += *count
			}
		}
	}
	return n, nil
}
