package assign

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/kube"
)

// kindNamespace is the kind of a task that looks at a namespace's labels.
const kindNamespace = "Namespace"

// A task is something to look at besides Services: a namespace, the status of
// one of Herald's objects, or, when it is zero, the configuration as a whole.
type task struct{ kind, name string }

// reconcileTask does a task.
func (a *assigner) reconcileTask(ctx context.Context, k task) (reconcile.Result, error) {
	began := time.Now()
	switch k.kind {
	case "":
		defer func() { a.metrics.observe("config", time.Since(began)) }()
		return reconcile.Result{}, a.reconcileConfig(ctx)
	case kindNamespace:
		defer func() { a.metrics.observe("namespace", time.Since(began)) }()
		return reconcile.Result{}, a.reconcileNamespace(ctx, k.name)
	default:
		defer func() { a.metrics.observe("status", time.Since(began)) }()
		return a.reconcileObject(ctx, object(k))
	}
}

// reconcileConfig puts what Herald's objects say in force.
func (a *assigner) reconcileConfig(ctx context.Context) error {
	t := a.enter() // first, so that what is read is not older than the term
	if t != nil {
		defer t.busy.Done()
		bound, cancel := t.bind(ctx)
		defer cancel()
		ctx = bound
	}
	objects, err := kube.Collect(ctx, a.client, a.namespace)
	if err != nil {
		return err
	}
	cfg, verdicts := config.Parse(objects)
	a.metrics.judged(verdicts)
	if t == nil {
		return nil // enqueued again when a term begins
	}
	defer t.poke()
	if err := t.configure(cfg, verdicts, a.now()); err != nil {
		return err
	}
	for _, v := range verdicts {
		a.tasks(task{v.Kind, v.Name})
	}
	return a.ensureSecret(ctx)
}

// reconcileNamespace tells the book of a namespace's labels.
func (a *assigner) reconcileNamespace(ctx context.Context, name string) error {
	t := a.enter()
	if t == nil {
		return nil // read anew when a term begins
	}
	defer t.busy.Done()
	var n corev1.Namespace
	err := a.client.Get(ctx, client.ObjectKey{Name: name}, &n)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read Namespace: %w", err)
	}
	var labels config.Labels
	if err == nil {
		labels = labelsOf(&n)
	}
	t.mu.Lock()
	t.book.setNamespace(name, labels)
	t.mu.Unlock()
	t.poke()
	return nil
}
