package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/measure"
	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/router"
)

// A way is a router with its BGP daemon, and the client that reaches routed addresses through it.
type way struct{ router, daemon, client, title string }

// ways are those of the lab. The client of each is another one, so that all are
// measured side by side.
var ways = []way{{"frr1", "bgpd", "client", "FRR"}, {"bird1", "bird", "client2", "BIRD"}}

// routed are the prefixes that only routers lead to.
var routed = []netip.Prefix{netip.MustParsePrefix("198.18.50.0/24"), netip.MustParsePrefix("fd42:50::/64")}

// profiles are BFDProfiles by which a dead router is known after 150 and 900 ms.
const profiles = `
---
apiVersion: heraldlb.io/v1beta1
kind: BFDProfile
metadata: {name: fast}
spec: {receiveInterval: 50, transmitInterval: 50, detectMultiplier: 3}
---
apiVersion: heraldlb.io/v1beta1
kind: BFDProfile
metadata: {name: slow}
spec: {receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3}
`

// watchedFast is how peers are watched by BFD, unwatched what asks routers to keep
// the routes of a speaker that restarts, and restarted both.
const (
	watchedFast = "bfdProfile: fast"
	unwatched   = "gracefulRestart: true"
	restarted   = unwatched + ", " + watchedFast
)

// setUpBGP makes what every measurement of BGP needs, unless that was done.
func (r *run) setUpBGP(ctx context.Context) error {
	if r.routing {
		return nil
	}
	err := r.apply(ctx, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed}
spec: {addresses: [%q, %q], autoAssign: false}
---
apiVersion: heraldlb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: routed}
spec: {ipAddressPools: [routed]}
`, routed[0], routed[1])+profiles+fmt.Sprintf(measured, "routed", wish(steady(routed))))
	if err != nil {
		return err
	}
	for _, w := range ways {
		for i, p := range routed {
			if err := r.Via(ctx, w.client, p, r.hosts[w.router][i]); err != nil {
				return err
			}
		}
	}
	r.routing = true
	return nil
}

// peer makes both routers peers of every node, over IPv4, with further fields,
// when they have forgotten the sessions before: FRR 8.4 does not watch a dynamic
// neighbor that has restarted gracefully without BFD and has it then.
func (r *run) peer(ctx context.Context, fields string) error {
	if _, err := r.Kubectl(ctx, "", "delete", "bgppeers", "--all"); err != nil {
		return err
	}
	manifest := ""
	for _, w := range ways {
		err := until(ctx, w.router+" has no routes", func(ctx context.Context) error {
			v, err := r.Routes(ctx, w.router)
			if err != nil {
				return err
			}
			return someLeft(len(v.Forwarding))
		})
		if err != nil {
			return err
		}
		manifest += fmt.Sprintf(`
---
apiVersion: heraldlb.io/v1beta1
kind: BGPPeer
metadata: {name: %s}
spec: {myASN: 64512, peerASN: %d, peerAddress: %q, connectTime: 1s, %s}
`, w.router, router.DefaultASN, r.hosts[w.router][0].String(), fields)
	}
	return r.apply(ctx, manifest)
}

// converged waits until every router forwards the steady routed addresses to
// every node, and watches every node by BFD if fields say so.
func (r *run) converged(ctx context.Context, fields string) error {
	for _, w := range ways {
		err := until(ctx, w.router+" has the routes of all nodes", func(ctx context.Context) error {
			v, err := r.Routes(ctx, w.router)
			if err != nil {
				return err
			}
			if n := hopsTo(v, steady(routed)[0]) + hopsTo(v, steady(routed)[1]); n != 2*len(r.nodes) {
				return fmt.Errorf("%d next hops, want %d", n, 2*len(r.nodes))
			}
			watched := slices.DeleteFunc(v.Sessions, func(s router.Session) bool { return s.BFD != "up" })
			if strings.Contains(fields, "bfdProfile") && len(watched) != len(r.nodes) {
				return fmt.Errorf("%d sessions watched by BFD, want %d", len(watched), len(r.nodes))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, a := range steady(routed) {
			if err := until(ctx, a.String()+" answers", func(ctx context.Context) error { return r.ReachFrom(ctx, w.client, a) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// hopsTo returns how many next hops a router's kernel has for an address alone.
func hopsTo(v *router.View, a netip.Addr) int {
	prefix := netip.PrefixFrom(a, a.BitLen()).String()
	for _, f := range v.Forwarding {
		if f.Prefix == prefix {
			return len(f.NextHops)
		}
	}
	return 0
}

// A routedFault is something that happens to a node whose routes routers have.
type routedFault struct {
	// name is that of the step, title tells what is done.
	name, title string
	// fields are further ones of the peers.
	fields       string
	strike, mend func(*run, context.Context, string) error
	// after is how long everything is watched when strike is done.
	after time.Duration
	// What is wanted: of the longest gap of a client, in milliseconds, and of the
	// failed connections; nil for nothing.
	gap, failed *float64
}

// A loss is what the clients behind one router noticed, of both families
// together, one sample for each run.
type loss struct{ gaps, failed, lossy []float64 }

// routedFault measures one fault as often as it was asked for.
func (r *run) routedFault(ctx context.Context, f routedFault) error {
	losses := make([]loss, len(ways))
	err := errors.Join(r.setUpBGP(ctx), r.peer(ctx, f.fields))
	for i := 0; i < r.o.Runs && err == nil; i++ {
		if err = r.loseOnce(ctx, f, losses); err != nil {
			err = fmt.Errorf("run %d: %w", i+1, err)
		}
	}
	r.table.Part("BGP: " + f.title)
	for i, w := range ways {
		r.add(figures.Figure{Name: w.title + ", longest gap of a client", Unit: "ms", Samples: losses[i].gaps, Most: f.gap})
		r.add(figures.Figure{Name: w.title + ", failed connections", Samples: losses[i].failed, Most: f.failed})
		r.add(figures.Figure{Name: w.title + ", from the first failed one to the last", Unit: "ms", Samples: losses[i].lossy})
	}
	return err
}

// loseOnce does a fault to a node, another one each time and never the one that
// has the endpoint, and mends it.
func (r *run) loseOnce(ctx context.Context, f routedFault, losses []loss) error {
	if err := r.converged(ctx, f.fields); err != nil {
		return err
	}
	node := r.nodes[r.placed%(len(r.nodes)-1)]
	r.placed++
	var probes []*drive.Running[probe.Report]
	for _, w := range ways {
		for _, a := range steady(routed) {
			p, err := r.ProbeFrom(w.client, a, drive.Every, forever)
			if err != nil {
				return err
			}
			defer p.Drop()
			probes = append(probes, p)
		}
	}
	err := errors.Join(pause(ctx, baseline), r.do(ctx, f.strike, node), pause(ctx, f.after))
	for i := 0; i < len(ways) && err == nil; i++ {
		err = losses[i].add(ways[i], probes[i*len(routed):(i+1)*len(routed)])
	}
	return errors.Join(err, r.do(context.WithoutCancel(ctx), f.mend, node), r.whole(ctx))
}

// add ends the probes through one router, and adds what they saw.
func (l *loss) add(w way, probes []*drive.Running[probe.Report]) error {
	var gap, lossy time.Duration
	failed := 0
	for _, p := range probes {
		report, err := p.Stop()
		if err != nil {
			return err
		}
		gap, lossy, failed = max(gap, drive.Outage(report)), max(lossy, drive.Lossy(report)), failed+report.Failures
		measure.Progress("    %s: %s: gap %.0f ms, failed %v", w.title, report.URL, milliseconds(drive.Outage(report)), report.Reasons)
	}
	l.gaps = append(l.gaps, milliseconds(gap))
	l.failed = append(l.failed, float64(failed))
	l.lossy = append(l.lossy, milliseconds(lossy))
	return nil
}
