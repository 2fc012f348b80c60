package main

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/heraldlb/herald/lab/measure"
)

const (
	// heraldNamespace is where Herald runs.
	heraldNamespace = "herald-system"
	// otherClass is a loadBalancerClass that nobody handles.
	otherClass = "bench.heraldlb.io/nobody"
	// poolName and poolRange are the pool of all addresses; it is not on the
	// lab's segment, because that is smaller.
	poolName  = "bench"
	poolRange = "10.200.0.0/16"
	// maxServices bounds the Services, so that two sets of them fit the
	// cluster's range of cluster IPs.
	maxServices = 20000
	// creators is how many Services are created side by side.
	creators = 16
	// writers is how many statuses the bare loop writes side by side, as many
	// as the controller does.
	writers = 8
)

// clients are what talks to the cluster.
type clients struct {
	kube    kubernetes.Interface
	objects dynamic.Interface
}

// connect makes clients with the settings of Herald's own: protocol buffers
// for what has them, and no limit of their own on requests.
func connect(kubeconfig string) (*clients, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.UserAgent = "herald-bench"
	cfg.QPS = -1
	objects, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &clients{kube, objects}, nil
}

// poolResource names IPAddressPools, advertisementResource L2Advertisements.
var (
	poolResource          = schema.GroupVersionResource{Group: "heraldlb.io", Version: "v1beta1", Resource: "ipaddresspools"}
	advertisementResource = schema.GroupVersionResource{Group: "heraldlb.io", Version: "v1beta1", Resource: "l2advertisements"}
)

// object returns one of Herald's objects.
func object(kind string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "heraldlb.io/v1beta1", "kind": kind,
		"metadata": map[string]any{"name": poolName},
		"spec":     spec,
	}}
}

// advertise makes the L2Advertisement of everything.
func (c *clients) advertise(ctx context.Context) error {
	_, err := c.objects.Resource(advertisementResource).
		Create(ctx, object("L2Advertisement", map[string]any{}), metav1.CreateOptions{})
	return ignoreExists(err)
}

// createPool makes the pool.
func (c *clients) createPool(ctx context.Context) error {
	spec := map[string]any{"addresses": []any{poolRange}}
	_, err := c.objects.Resource(poolResource).Create(ctx, object("IPAddressPool", spec), metav1.CreateOptions{})
	return ignoreExists(err)
}

// deletePool deletes the pool, if there is one.
func (c *clients) deletePool(ctx context.Context) error {
	err := c.objects.Resource(poolResource).Delete(ctx, poolName, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// createNamespace makes a namespace, unless there is one.
func (c *clients) createNamespace(ctx context.Context, name string) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := c.kube.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{})
	return ignoreExists(err)
}

// ignoreExists turns the error of making what is there into none.
func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// createService makes one Service of type LoadBalancer without endpoints and
// without node ports, of which a cluster has not enough.
func (c *clients) createService(ctx context.Context, namespace, name, class string) error {
	no := false
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Type:                          corev1.ServiceTypeLoadBalancer,
			AllocateLoadBalancerNodePorts: &no,
			Ports:                         []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
	if class != "" {
		s.Spec.LoadBalancerClass = &class
	}
	_, err := c.kube.CoreV1().Services(namespace).Create(ctx, s, metav1.CreateOptions{})
	return err
}

// deleteService deletes one Service.
func (c *clients) deleteService(ctx context.Context, namespace, name string) error {
	return c.kube.CoreV1().Services(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// createServices makes n Services, many at a time. The API server takes the
// longer for each the more there are: it counts the cluster IPs in use each time.
func (c *clients) createServices(ctx context.Context, namespace, class string, n int) error {
	measure.Progress("creating %d Services in %s", n, namespace)
	return sideBySide(ctx, creators, n, func(ctx context.Context, i int) error {
		return c.createService(ctx, namespace, serviceName(i), class)
	})
}

// serviceName returns the name of the i-th Service.
func serviceName(i int) string { return fmt.Sprintf("service-%05d", i) }

// deleteServices deletes all Services of a namespace.
func (c *clients) deleteServices(ctx context.Context, t *tracker) error {
	keys := t.store.ListKeys()
	err := sideBySide(ctx, creators, len(keys), func(ctx context.Context, i int) error {
		return c.deleteService(ctx, t.namespace, keys[i][len(t.namespace)+1:])
	})
	if err != nil {
		return err
	}
	return wait(ctx, "Services deleted", func() (bool, error) { return t.now().services == 0, nil })
}

// patchStatus writes an address and a condition to a Service's status, the way
// Herald does: one merge patch that is bound to the version that was seen.
func (c *clients) patchStatus(ctx context.Context, t *tracker, name, ip string) error {
	version, err := t.version(name)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version},
		"status": map[string]any{
			"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": ip, "ipMode": "VIP"}}},
			"conditions": []metav1.Condition{{
				Type: "bench.heraldlb.io/AddressAssigned", Status: metav1.ConditionTrue, Reason: "Assigned",
				Message: ip + " from pool \"bench\"", LastTransitionTime: metav1.Now(),
			}},
		},
	})
	if err != nil {
		return err
	}
	_, err = c.kube.CoreV1().Services(t.namespace).
		Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// sideBySide calls do for 0 to n-1, up to workers at a time.
func sideBySide(ctx context.Context, workers, n int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
