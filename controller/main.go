package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/heraldlb/herald/controller/assign"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/logging"
	"github.com/heraldlb/herald/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

// run is the program: it returns when ctx ends, or with what is wrong.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil || s.version {
		return err
	}
	logger, err := logging.New(stderr, s.logLevel, s.logFormat)
	if err != nil {
		return err
	}
	kube.UseLogger(logger)
	err = serve(ctx, s, logger)
	if err != nil {
		_ = level.Error(logger).Log("msg", "stopped", "error", err)
	}
	return err
}

// serve wires everything together and runs it until ctx ends.
func serve(ctx context.Context, s settings, logger log.Logger) error {
	tuneMemory()
	cfg, err := kube.RESTConfig("controller")
	if err != nil {
		return err
	}
	mgr, err := kube.Manager(cfg, kube.Options{
		Namespace: s.namespace, Logger: logger,
		MetricsAddress: s.metricsAddress, SecureMetrics: s.secureMetrics, HealthAddress: s.healthAddress,
	})
	if err != nil {
		return err
	}
	if err := assign.Add(mgr, assign.Options{
		Namespace: s.namespace, Class: s.class, Identity: s.identity(),
		Logger: logger, Registerer: metrics.Registry,
	}); err != nil {
		return err
	}
	_ = level.Info(logger).Log("msg", "starting", "component", "controller", "version", version.String())
	return mgr.Start(ctx)
}
