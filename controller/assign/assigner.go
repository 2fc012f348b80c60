package assign

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/config"
)

// retryAfter is how long to wait before something is tried again that the
// cluster was not ready for.
const retryAfter = time.Second

// An assigner reads the cluster, asks the book of its term, and writes what it
// says. Outside of a term it does nothing.
type assigner struct {
	// client reads from a cache that may lag behind, and live from the API
	// server itself.
	client client.Client
	live   client.Reader
	events teller
	logger log.Logger
	// namespace is where Herald runs, class the loadBalancerClass it handles.
	namespace, class string
	metrics          *metrics
	// traffic is what the pacer of events gives way to.
	traffic traffic
	now     func() time.Time
	// services and tasks enqueue; each key is worked on by one worker at a time.
	services func(client.ObjectKey)
	tasks    func(task)

	gate sync.RWMutex
	term *term // nil outside of a term
}

// enter returns the term for a worker to act in, or nil when there is none.
// The worker must say when it is done.
func (a *assigner) enter() *term {
	a.gate.RLock()
	defer a.gate.RUnlock()
	if a.term != nil {
		a.term.busy.Add(1)
	}
	return a.term
}

// setTerm begins a term, or ends it with nil.
func (a *assigner) setTerm(t *term) {
	a.gate.Lock()
	defer a.gate.Unlock()
	a.term = t
}

// samePools reports whether two configurations have equal pools.
func samePools(x, y []config.Pool) bool {
	return len(x) == len(y) && (len(x) == 0 || reflect.DeepEqual(x, y))
}

// labelsOf returns a namespace's labels; they are never nil.
func labelsOf(n *corev1.Namespace) config.Labels {
	if n.Labels == nil {
		return config.Labels{}
	}
	return n.Labels
}

// objectKey splits namespace/name.
func objectKey(key string) client.ObjectKey {
	namespace, name, _ := strings.Cut(key, "/")
	return client.ObjectKey{Namespace: namespace, Name: name}
}
