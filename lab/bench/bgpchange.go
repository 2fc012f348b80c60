package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// bgpChange measures how one of many Services that are announced changes.
func (b *bench) bgpChange(ctx context.Context) error {
	return b.routing(ctx, func() error {
		if b.ours.now().services < b.o.prefixes { // others were not measured just now
			if err := b.createAllServed(ctx, b.o.prefixes); err != nil {
				return err
			}
		}
		return b.changeOne(ctx)
	})
}

// changeOne takes the endpoint of one Service among all the others away, and
// gives it back, again and again, and measures the same of the latter.
func (b *bench) changeOne(ctx context.Context) error {
	times, said := map[string][]float64{}, map[string][]float64{}
	for i := range max(b.o.Runs, minChurns) {
		name := serviceName(i)
		if err := b.serve(ctx, name, false); err != nil {
			return err
		}
		if _, err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.routed(ctx, name, func() error { return b.serve(ctx, name, true) }, times, said); err != nil {
			return err
		}
	}
	b.tellRouted("changed", times, said)
	return nil
}

// serve has the endpoint of a Service serve, or not.
func (b *bench) serve(ctx context.Context, name string, serving bool) error {
	patch := fmt.Sprintf(`{"endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": %t, "serving": %t}}]}`, serving, serving)
	_, err := b.kube.DiscoveryV1().EndpointSlices(b.ours.namespace).
		Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
