package kube

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eventTimeout bounds one attempt to write an event.
const eventTimeout = 10 * time.Second

// An Event is one thing to tell of an object.
type Event struct {
	Regarding corev1.ObjectReference
	// Type is corev1.EventTypeNormal or EventTypeWarning; Reason and Action are
	// words, and Note is a text of at most 1024 bytes.
	Type, Reason, Action, Note string
	// At is when it happened.
	At time.Time
}

// Events writes events (events.k8s.io), each as an object of its own. The
// recorder of client-go would join events of one object and reason to a series,
// which keeps the first note alone, and is written again six minutes after its
// end: Herald tells each change once, with what it was, and then writes nothing.
type Events struct {
	client             client.Client
	logger             log.Logger
	component, process string
}

// NewEvents returns the Events of a component, such as "herald-controller".
func NewEvents(c client.Client, component string, l log.Logger) *Events {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	process := component + "-" + host
	const longest = 128 // that the API server takes
	return &Events{
		client: c, logger: log.With(l, "component", "events"),
		component: component, process: process[:min(len(process), longest)],
	}
}

// Write writes one event. An error means that it is worth while to write the
// same again; an event that the API server does not want is logged and dropped.
// It may be called by several at once.
func (e *Events) Write(ctx context.Context, ev Event) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	err := e.client.Create(ctx, e.object(ev))
	switch {
	case err == nil, apierrors.IsAlreadyExists(err): // an earlier attempt came through
		return nil
	case goneNamespace(err):
		return nil // with everything that could be told of it
	case retriable(err):
		return fmt.Errorf("write event: %w", err)
	}
	_ = level.Warn(e.logger).Log("msg", "event refused", "service", ev.Regarding.Namespace+"/"+ev.Regarding.Name,
		"reason", ev.Reason, "error", err)
	return nil
}

// object is an event as it is written. Events of objects without a namespace
// are in "default".
func (e *Events) object(ev Event) *eventsv1.Event {
	namespace := ev.Regarding.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      ev.name(),
		},
		EventTime:           metav1.NewMicroTime(ev.At),
		ReportingController: e.component,
		ReportingInstance:   e.process,
		Action:              ev.Action,
		Reason:              ev.Reason,
		Regarding:           ev.Regarding,
		Note:                ev.Note,
		Type:                ev.Type,
	}
}

// name is the name of an event's object: the same at every attempt, and another
// one for another event.
func (ev Event) name() string {
	const longest, hash = 253, 16
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%s/%s/%s", ev.At.UnixNano(), ev.Regarding.Kind, ev.Reason, ev.Action, ev.Note)
	of := ev.Regarding.Name[:min(len(ev.Regarding.Name), longest-hash-1)]
	return fmt.Sprintf("%s.%0*x", strings.TrimRight(of, ".-"), hash, h.Sum64())
}

// goneNamespace reports whether an event was refused since its namespace goes
// or is gone.
func goneNamespace(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// retriable reports whether a request failed for a reason that passes.
func retriable(err error) bool {
	if _, answered := errors.AsType[*apierrors.StatusError](err); !answered {
		return true
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsUnauthorized(err)
}
