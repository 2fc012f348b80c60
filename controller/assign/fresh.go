package assign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/pause"
)

// The time between two looks at whether the cache has caught up grows from
// firstLook to lastLook, because each reads all that Herald is told by.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// awaitCache waits until the cache has all namespaces and objects of the
// configuration as the API server has them. A replica that stood by may have
// been cut off: what it would decide by then is what was true minutes ago, and
// pools that it has not heard of would seem to be gone.
func (a *assigner) awaitCache(ctx context.Context) error {
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		behind, err := a.behind(ctx)
		if err != nil || behind == "" {
			return err
		}
		if !pause.For(ctx, wait) {
			return fmt.Errorf("wait for the cache: it lacks %s: %w", behind, ctx.Err())
		}
	}
}

// A pair are the lists of one kind by the API server and by the cache.
type pair struct {
	live, cached client.ObjectList
	opts         []client.ListOption
}

// behind names an object that the cache does not have as the API server has
// it; it is empty when there is none.
func (a *assigner) behind(ctx context.Context) (string, error) {
	ours := []client.ListOption{client.InNamespace(a.namespace)}
	pairs := []pair{
		{&corev1.NamespaceList{}, &corev1.NamespaceList{}, nil},
		{&v1beta1.IPAddressPoolList{}, &v1beta1.IPAddressPoolList{}, nil},
		{&v1beta1.L2AdvertisementList{}, &v1beta1.L2AdvertisementList{}, nil},
		{&v1beta1.BGPAdvertisementList{}, &v1beta1.BGPAdvertisementList{}, nil},
		{&v1beta1.BGPPeerList{}, &v1beta1.BGPPeerList{}, nil},
		{&v1beta1.BFDProfileList{}, &v1beta1.BFDProfileList{}, nil},
		{&v1beta1.CommunityList{}, &v1beta1.CommunityList{}, nil},
		{&corev1.SecretList{}, &corev1.SecretList{}, ours},
	}
	names, errs := make([]string, len(pairs)), make([]error, len(pairs))
	var reading sync.WaitGroup
	for i, p := range pairs {
		reading.Go(func() { names[i], errs[i] = a.lacks(ctx, p) })
	}
	reading.Wait()
	return cmp.Or(names...), errors.Join(errs...)
}

// lacks names an object of one kind, as behind does.
func (a *assigner) lacks(ctx context.Context, p pair) (string, error) {
	if err := a.live.List(ctx, p.live, p.opts...); err != nil {
		return "", fmt.Errorf("list %T: %w", p.live, err)
	}
	if err := a.client.List(ctx, p.cached, p.opts...); err != nil {
		return "", fmt.Errorf("list cached %T: %w", p.cached, err)
	}
	name := difference(versionsOf(p.live), versionsOf(p.cached))
	if name == "" {
		return "", nil
	}
	return fmt.Sprintf("%T %s", p.live, name), nil
}

// difference names an object that the cache lacks, has in an older version, or
// still has; it is empty when there is none.
func difference(live, cached map[string]string) string {
	for name, version := range live {
		if has, ok := cached[name]; !ok || older(has, version) {
			return name
		}
	}
	for name := range cached {
		if _, ok := live[name]; !ok {
			return name
		}
	}
	return ""
}

// versionsOf returns the resource versions of a list's items by name.
func versionsOf(list client.ObjectList) map[string]string {
	out := map[string]string{}
	_ = apimeta.EachListItem(list, func(o runtime.Object) error {
		item := o.(client.Object)
		out[client.ObjectKeyFromObject(item).String()] = item.GetResourceVersion()
		return nil
	})
	return out
}
