package kube

import (
	"github.com/go-kit/log"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/heraldlb/herald/internal/logging"
)

// UseLogger sends what client-go and controller-runtime log to l, by the rules
// of logging.Logr. It is called once, by main, before anything else here.
func UseLogger(l log.Logger) {
	r := logging.Logr(log.With(l, "component", "kube"))
	klog.SetLoggerWithOptions(r, klog.ContextualLogger(true))
	ctrllog.SetLogger(r)
}
