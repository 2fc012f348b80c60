package kube

import (
	"time"

	"github.com/go-kit/log"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
)

// Informers returns what the cache of Manager makes its informers with, for
// caches beside that one: they wait for the API server for as long as it takes,
// and are back soon after it is.
func Informers(l log.Logger) func(toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers) toolscache.SharedIndexInformer {
	return newInformer(log.With(l, "component", "kube"), Options{}.trimService)
}
