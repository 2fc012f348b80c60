package assign

import (
	"fmt"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/heraldlb/herald/internal/kube"
)

const (
	// writers is how many Services are worked on side by side. Deciding takes
	// turns; waiting for the API server need not.
	writers = 8
	// recorder is the name under which events are reported.
	recorder = "herald-controller"
	// firstBackoff and lastBackoff bound the pause before a failed write is
	// tried again. It must not grow long, or Services would wait for addresses
	// when the API server is back.
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

// Options are what Add needs to know.
type Options struct {
	// Namespace is where Herald runs.
	Namespace string
	// Class is the spec.loadBalancerClass that is handled beside the unset one.
	Class string
	// Identity is this process's name in the competition for the lease, by
	// which one of several replicas is chosen to act; empty when there is only
	// one, which then acts at once.
	Identity   string
	Logger     log.Logger
	Registerer prometheus.Registerer
}

// Add makes a manager assign addresses when it is started. It is called once,
// by main, before the manager is started.
func Add(mgr manager.Manager, o Options) error {
	a := &assigner{
		client:    mgr.GetClient(),
		live:      mgr.GetAPIReader(),
		logger:    log.With(o.Logger, "component", "assign"),
		namespace: o.Namespace,
		class:     o.Class,
		metrics:   newMetrics(o.Registerer),
		now:       time.Now,
	}
	told := newPacer(kube.NewEvents(a.client, recorder, o.Logger).Write, mgr.GetScheme(), &a.traffic)
	a.events = told
	o.Registerer.MustRegister(newCollector(a))
	kinds := append(kube.ConfigKinds(), &corev1.Service{}, &corev1.Namespace{})
	if err := kube.Prepare(mgr, kinds...); err != nil {
		return err
	}
	if err := addServices(mgr, a); err != nil {
		return fmt.Errorf("controller of services: %w", err)
	}
	if err := addTasks(mgr, a); err != nil {
		return fmt.Errorf("controller of configuration: %w", err)
	}
	if err := mgr.Add(told); err != nil {
		return err
	}
	e, err := a.newElector(mgr.GetConfig(), o.Identity)
	if err != nil {
		return err
	}
	return mgr.Add(e)
}

// options are those of both controllers.
func options[K comparable](workers int) controller.TypedOptions[K] {
	no := false
	return controller.TypedOptions[K]{
		MaxConcurrentReconciles: workers,
		NeedLeaderElection:      &no, // outside of a term they do nothing
		// A book that is half written must not go on. The next process begins with
		// one that is made from the statuses.
		RecoverPanic: &no,
		RateLimiter:  workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstBackoff, lastBackoff),
	}
}

// concerns reports whether a Service is one to look at.
func concerns(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer || marked(s)
}
