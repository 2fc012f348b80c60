package assign

import (
	"context"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/heraldlb/herald/internal/kube"
)

// addServices adds the controller that works on Services.
func addServices(mgr manager.Manager, a *assigner) error {
	o := options[reconcile.Request](writers)
	o.Reconciler = reconcile.Func(func(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
		return a.reconcileService(ctx, r.NamespacedName)
	})
	c, err := controller.New("service", mgr, o)
	if err != nil {
		return err
	}
	queueC := make(chan workqueue.TypedRateLimitingInterface[reconcile.Request], 1)
	a.services = enqueuer(queueC, func(k client.ObjectKey) reconcile.Request { return reconcile.Request{NamespacedName: k} })
	if err := c.Watch(source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queueC <- q
		return nil
	})); err != nil {
		return err
	}
	return c.Watch(source.Kind(mgr.GetCache(), &corev1.Service{},
		&handler.TypedEnqueueRequestForObject[*corev1.Service]{}, newsOfServices()))
}

// newsOfServices lets news of Services through that concern us. Every deletion
// does: after a watch was interrupted, the Service that it shows may be one of
// long before, and it may have become ours since.
func newsOfServices() predicate.TypedFuncs[*corev1.Service] {
	return predicate.TypedFuncs[*corev1.Service]{
		CreateFunc: func(e event.TypedCreateEvent[*corev1.Service]) bool { return concerns(e.Object) },
		UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Service]) bool {
			return (concerns(e.ObjectOld) || concerns(e.ObjectNew)) && e.ObjectOld.ResourceVersion != e.ObjectNew.ResourceVersion
		},
	}
}

// enqueuer returns a function that adds to the queue that comes by queueC once
// the controller is started; until then it waits.
func enqueuer[K any, R comparable](queueC chan workqueue.TypedRateLimitingInterface[R], request func(K) R) func(K) {
	return func(k K) {
		q := <-queueC
		queueC <- q
		q.Add(request(k))
	}
}

// addTasks adds the controller that does tasks.
func addTasks(mgr manager.Manager, a *assigner) error {
	o := options[task](2)
	o.Reconciler = reconcile.TypedFunc[task](a.reconcileTask)
	c, err := controller.NewTyped("config", mgr, o)
	if err != nil {
		return err
	}
	queueC := make(chan workqueue.TypedRateLimitingInterface[task], 1)
	a.tasks = enqueuer(queueC, func(k task) task { return k })
	if err := c.Watch(source.TypedFunc[task](func(_ context.Context, q workqueue.TypedRateLimitingInterface[task]) error {
		queueC <- q
		return nil
	})); err != nil {
		return err
	}
	for _, kind := range append(kube.ConfigKinds(), &corev1.Namespace{}) {
		if err := c.Watch(source.TypedKind(mgr.GetCache(), kind, taskHandler())); err != nil {
			return err
		}
	}
	return nil
}

// taskHandler enqueues the tasks that follow from news of an object.
func taskHandler() handler.TypedEventHandler[client.Object, task] {
	type queue = workqueue.TypedRateLimitingInterface[task]
	return handler.TypedFuncs[client.Object, task]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueue(q, e.Object, true) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(q, e.Object, true) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			enqueue(q, e.ObjectNew, differs(e.ObjectOld, e.ObjectNew))
		},
	}
}

// enqueue adds the tasks for an object; changed is false when only its status
// can have changed.
func enqueue(q workqueue.TypedRateLimitingInterface[task], obj client.Object, changed bool) {
	if _, ok := obj.(*corev1.Namespace); ok {
		if changed {
			q.Add(task{kind: kindNamespace, name: obj.GetName()})
		}
		return
	}
	if changed {
		q.Add(task{})
	}
	if kind := kindOf(obj); kind != "" {
		q.Add(task{kind: kind, name: obj.GetName()})
	}
}

// differs reports whether what config.Parse looks at may have changed.
func differs(old, now client.Object) bool {
	if s, ok := now.(*corev1.Secret); ok {
		return !reflect.DeepEqual(old.(*corev1.Secret).Data, s.Data)
	}
	return old.GetGeneration() != now.GetGeneration() || !maps.Equal(old.GetLabels(), now.GetLabels()) ||
		old.GetUID() != now.GetUID()
}

// kindOf names the kind of an object that is judged; it is empty for others.
func kindOf(obj client.Object) string {
	if _, ok := obj.(judged); !ok {
		return ""
	}
	return reflect.TypeOf(obj).Elem().Name()
}
