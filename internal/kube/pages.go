package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// pageSize bounds how many objects are read from the API server at once.
const pageSize = 500

// paged reports whether a kind is read by pages. A cluster may have thousands of
// Services and EndpointSlices; the stream by which client-go reads a kind by
// default (KEP-3157) has an event for each, and takes several times as long.
func paged(obj runtime.Object) bool {
	switch obj.(type) {
	case *corev1.Service, *discoveryv1.EndpointSlice:
		return true
	default:
		return false
	}
}

// unstreamed stands for a client that reads nothing by a stream.
type unstreamed struct{}

// IsWatchListSemanticsUnSupported tells client-go to list, and then to watch.
func (unstreamed) IsWatchListSemanticsUnSupported() bool { return true }

// listPages lists by pages, as the API server has things now, whatever version
// was asked for. Each page is trimmed before the next is read, so that memory
// never holds what the cache would drop.
func (p *patient) listPages(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	o.ResourceVersion, o.ResourceVersionMatch, o.Limit = "", "", pageSize
	var all runtime.Object
	for {
		page, err := p.listOnce(ctx, o)
		if err != nil {
			return nil, err
		}
		if all, err = p.gather(all, page); err != nil {
			return nil, err
		}
		of, err := apimeta.ListAccessor(page)
		if err != nil {
			return nil, fmt.Errorf("page of a list: %w", err)
		}
		if o.Continue = of.GetContinue(); o.Continue == "" {
			return all, nil
		}
		of.SetContinue("")
		of.SetRemainingItemCount(nil)
	}
}

// gather trims the items of a page, and adds them to those of the pages before,
// nil for none.
func (p *patient) gather(all, page runtime.Object) (runtime.Object, error) {
	switch of := page.(type) {
	case *corev1.ServiceList:
		for i := range of.Items {
			p.trimService(&of.Items[i])
		}
		if before, ok := all.(*corev1.ServiceList); ok {
			before.Items = append(before.Items, of.Items...)
			return before, nil
		}
	case *discoveryv1.EndpointSliceList:
		for i := range of.Items {
			trimEndpointSlice(&of.Items[i])
		}
		if before, ok := all.(*discoveryv1.EndpointSliceList); ok {
			before.Items = append(before.Items, of.Items...)
			return before, nil
		}
	default:
		return nil, fmt.Errorf("page of a list: %T is not read by pages", page)
	}
	return page, nil
}
