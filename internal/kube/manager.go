package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-kit/log"
	corev1 "k8s.io/api/core/v1"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/heraldlb/herald/internal/logging"
	"github.com/heraldlb/herald/internal/version"
)

const (
	// shutdownTimeout bounds how long a stopping manager waits for what it runs.
	shutdownTimeout = 20 * time.Second
	// dialTimeout bounds one attempt to reach the API server, so that the next
	// one comes soon when packets are lost rather than refused.
	dialTimeout = 3 * time.Second
	// syncTimeout is how long a controller may wait for its first list. Giving
	// up would end the process, and its next start would wait longer.
	syncTimeout = 365 * 24 * time.Hour
)

// Options are the settings that both binaries have in common.
type Options struct {
	// Namespace is where Herald runs.
	Namespace string
	Logger    log.Logger
	// MetricsAddress is where /metrics is served; "0" serves none.
	MetricsAddress string
	// SecureMetrics serves metrics by HTTPS, to clients that the API server
	// authenticates and allows to get /metrics.
	SecureMetrics bool
	// TrimService drops what the binary does not read of a Service, so that the
	// cache need not hold it; nil keeps what either binary reads.
	TrimService func(*corev1.Service)
	// HealthAddress is where /livez and /readyz are served; "0" serves none.
	HealthAddress string
}

// RESTConfig returns how to reach the API server: by --kubeconfig, KUBECONFIG,
// the pod's service account, or the user's own configuration.
func RESTConfig(component string) (*rest.Config, error) {
	cfg, err := clientconfig.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	cfg.UserAgent = "herald-" + component + "/" + version.String()
	cfg.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	return cfg, nil
}

// Manager returns a manager with metrics, probes and a small cache. It reaches
// the API server when it is started, and then waits for it for as long as it
// takes: /livez is true from the start, /readyz once the caches of what
// Prepare was told have been filled.
func Manager(cfg *rest.Config, o Options) (manager.Manager, error) {
	opts := CacheOptions(o)
	opts.NewInformer = newInformer(log.With(o.Logger, "component", "kube"), o.trimService)
	metrics := metricsserver.Options{BindAddress: o.MetricsAddress}
	if o.SecureMetrics {
		metrics.SecureServing = true
		metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	timeout := shutdownTimeout
	mgr, err := manager.New(cfg, manager.Options{
		Scheme:                  Scheme(),
		MapperProvider:          provideMapper,
		Cache:                   opts,
		Client:                  client.Options{Cache: &client.CacheOptions{}},
		Logger:                  logging.Logr(log.With(o.Logger, "component", "kube")),
		Metrics:                 metrics,
		HealthProbeBindAddress:  o.HealthAddress,
		LivenessEndpointName:    "/livez",
		ReadinessEndpointName:   "/readyz",
		GracefulShutdownTimeout: &timeout,
		Controller:              ctrlconfig.Controller{CacheSyncTimeout: syncTimeout},
	})
	if err != nil {
		return nil, fmt.Errorf("manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("liveness probe: %w", err)
	}
	return mgr, nil
}

// Prepare begins to cache the kinds of objs when the manager starts, and makes
// /readyz wait for them. It is called before the manager is started.
func Prepare(mgr manager.Manager, objs ...client.Object) error {
	informers := make([]cache.Informer, 0, len(objs))
	for _, obj := range objs {
		i, err := mgr.GetCache().GetInformer(context.Background(), obj, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("cache of %T: %w", obj, err)
		}
		informers = append(informers, i)
	}
	return mgr.AddReadyzCheck("caches", func(*http.Request) error {
		for _, i := range informers {
			if !i.HasSynced() {
				return errors.New("caches not filled yet")
			}
		}
		return nil
	})
}
