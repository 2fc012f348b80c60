package watch

import (
	"context"
	"fmt"

	"github.com/go-kit/log"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
)

// labelYielding is on the SpeakerStatus of a speaker that has seen that its
// own node is not Ready.
const (
	labelYielding = "heraldlb.io/node-not-ready"
	yielding      = "true"
)

// addYields adds a cache of the SpeakerStatuses that have labelYielding to a
// manager. It is a cache of its own because those without it, which change all
// the time and are long, must not come here.
func addYields(mgr manager.Manager, l log.Logger) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:  mgr.GetHTTPClient(),
		Scheme:      mgr.GetScheme(),
		Mapper:      mgr.GetRESTMapper(),
		NewInformer: kube.Informers(l),
		ByObject: map[client.Object]cache.ByObject{
			&v1beta1.SpeakerStatus{}: {
				Label:     labels.SelectorFromSet(labels.Set{labelYielding: yielding}),
				Transform: trimStatus,
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cache of speaker statuses: %w", err)
	}
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("add cache of speaker statuses: %w", err)
	}
	return c, nil
}

// trimStatus keeps name and labels of a SpeakerStatus.
func trimStatus(obj any) (any, error) {
	if s, ok := obj.(*v1beta1.SpeakerStatus); ok {
		s.ManagedFields, s.Annotations, s.OwnerReferences = nil, nil, nil
		s.Status = v1beta1.SpeakerStatusStatus{}
	}
	return obj, nil
}

// yieldsOf names the nodes whose speakers have seen that they are not Ready.
func (w *World) yieldsOf(ctx context.Context) (map[string]bool, error) {
	var list v1beta1.SpeakerStatusList
	err := w.statuses.List(ctx, &list, client.MatchingLabels{labelYielding: yielding}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list speaker statuses: %w", err)
	}
	out := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = true
	}
	return out, nil
}
