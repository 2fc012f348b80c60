package main

import (
	"context"
	"io"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/heraldlb/herald/controller/assign"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/program"
	"github.com/heraldlb/herald/internal/version"
)

func main() { program.Main("controller", run) }

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
	err = serve(ctx, s, logger)
	if err != nil {
		_ = level.Error(logger).Log("msg", "stopped", "error", err)
	}
	return err
}

// serve wires everything together and runs it until ctx ends.
func serve(ctx context.Context, s settings, logger log.Logger) error {
	program.TuneMemory()
	cfg, err := kube.RESTConfig("controller")
	if err != nil {
		return err
	}
	mgr, err := kube.Manager(cfg, s.ManagerOptions(logger))
	if err != nil {
		return err
	}
	if err := assign.Add(mgr, assign.Options{
		Namespace: s.Namespace, Class: s.Class, Identity: s.identity(),
		Logger: logger, Registerer: metrics.Registry,
	}); err != nil {
		return err
	}
	_ = level.Info(logger).Log("msg", "starting", "component", "controller", "version", version.String())
	return mgr.Start(ctx)
}
