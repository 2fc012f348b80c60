package main

import (
	"context"
	"io"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/program"
	"github.com/heraldlb/herald/internal/version"
	"github.com/heraldlb/herald/speaker/bgp"
	"github.com/heraldlb/herald/speaker/bgp/gobgp"
	"github.com/heraldlb/herald/speaker/layer2"
	"github.com/heraldlb/herald/speaker/members"
	"github.com/heraldlb/herald/speaker/sentry"
	"github.com/heraldlb/herald/speaker/watch"
)

func main() { program.Main("speaker", run) }

// run is the program: it returns when ctx ends, or with what is wrong.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil || s.Version {
		return err
	}
	logger, err := s.Logger(stderr)
	if err != nil {
		return err
	}
	program.TuneMemory()
	err = serve(ctx, s, logger)
	if err != nil {
		level.Error(logger).Log("msg", "stopped", "error", err)
	}
	return err
}

// serve runs everything until ctx ends, and then hands the node's addresses
// over before anything stops.
func serve(ctx context.Context, s settings, logger log.Logger) error {
	mgr, world, err := wire(s, logger)
	if err != nil {
		return err
	}
	level.Info(logger).Log("msg", "starting", "component", "speaker", "node", s.node, "version", version.String())

	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := world.Drain(running); err != nil {
		level.Warn(logger).Log("msg", "addresses not handed over", "error", err)
	}
	end()
	return <-ended
}

// wire makes everything and starts nothing.
func wire(s settings, logger log.Logger) (manager.Manager, *watch.World, error) {
	cfg, err := kube.RESTConfig("speaker")
	if err != nil {
		return nil, nil, err
	}
	options := s.ManagerOptions(logger)
	options.TrimService = watch.TrimService
	mgr, err := kube.Manager(cfg, options)
	if err != nil {
		return nil, nil, err
	}
	list := members.New(members.Config{
		Node: s.node, Addr: s.gossipAddress, Port: s.gossipPort, Label: s.gossipLabel, Profile: s.profile,
		Logger: log.With(logger, "component", "members"), Registerer: metrics.Registry,
	})
	guard := sentry.New(sentry.Config{
		Node: s.node, Addr: s.gossipAddress, Port: s.gossipPort, Interval: s.sentryInterval, Multiplier: s.sentryMultiplier,
		Logger: log.With(logger, "component", "sentry"), Registerer: metrics.Registry,
	})
	l2 := layer2.New(layer2.Config{Probe: s.probe, Logger: log.With(logger, "component", "layer2"), Registerer: metrics.Registry})
	speech := bgp.New(bgp.Config{
		Node: s.node, Router: gobgp.Router{},
		Links: layer2.Links, LastingLinks: layer2.LastingLinks, WatchLinks: layer2.WatchLinks,
		Logger: log.With(logger, "component", "bgp"), Registerer: metrics.Registry,
	})
	world := watch.New(watch.Config{
		Node: s.node, Namespace: s.Namespace, Class: s.Class, GossipAddress: s.gossipAddress,
		Members: roster{list}, Sentry: guard, Layer2: announcer{l2}, BGP: routers{speech},
		Links: layer2.Announceable, WatchLinks: layer2.WatchLinks,
		Logger: log.With(logger, "component", "watch"), Registerer: metrics.Registry,
	})
	for _, start := range []manager.RunnableFunc{list.Start, guard.Start, accuse(guard, list), l2.Start, speech.Start} {
		if err := mgr.Add(start); err != nil {
			return nil, nil, err
		}
	}
	return mgr, world, world.Add(mgr)
}
