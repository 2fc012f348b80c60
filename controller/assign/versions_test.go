package assign

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Versions give objects resource versions as an API server does: one count for
// all of them, so that no two objects, one after the other of one name included,
// ever have the same. The fake client counts for each object.
type versions struct {
	last uint64
	of   map[string]uint64 // by UID and the fake client's own version
}

func newVersions() *versions { return &versions{of: map[string]uint64{}} }

// show puts the version in place of the fake client's own.
func (v *versions) show(o client.Object) {
	own := fmt.Sprint(o.GetUID(), " ", o.GetResourceVersion())
	if v.of[own] == 0 {
		v.last++
		v.of[own] = v.last
	}
	o.SetResourceVersion(strconv.FormatUint(v.of[own], 10))
}

// expect returns a conflict unless an object has the version that a write was
// made from, if any, and returns the fake client's own.
func (v *versions) expect(ctx context.Context, cl client.Client, o client.Object, version string) (own string, err error) {
	now := o.DeepCopyObject().(client.Object)
	if err := cl.Get(ctx, client.ObjectKeyFromObject(o), now); err != nil {
		return "", err
	}
	own = now.GetResourceVersion()
	if v.show(now); version != "" && version != now.GetResourceVersion() {
		return "", apierrors.NewConflict(corev1.Resource("objects"), o.GetName(), errInjected)
	}
	return own, nil
}

// funcs are how a client shows them.
func (v *versions) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, cl client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := cl.Get(ctx, k, o, opts...)
			if err == nil {
				v.show(o)
			}
			return err
		},
		List: func(ctx context.Context, cl client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if err := cl.List(ctx, l, opts...); err != nil {
				return err
			}
			err := apimeta.EachListItem(l, func(o runtime.Object) error {
				v.show(o.(client.Object))
				return nil
			})
			l.SetResourceVersion(strconv.FormatUint(v.last, 10))
			return err
		},
		Create: func(ctx context.Context, cl client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			err := cl.Create(ctx, o, opts...)
			if err == nil {
				v.show(o)
			}
			return err
		},
		Update: func(ctx context.Context, cl client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			own, err := v.expect(ctx, cl, o, o.GetResourceVersion())
			if err != nil {
				return err
			}
			o.SetResourceVersion(own)
			if err := cl.Update(ctx, o, opts...); err != nil {
				return err
			}
			v.show(o)
			return nil
		},
		SubResourceUpdate: func(ctx context.Context, cl client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			own, err := v.expect(ctx, cl, o, o.GetResourceVersion())
			if err != nil {
				return err
			}
			o.SetResourceVersion(own)
			if err := cl.SubResource(sub).Update(ctx, o, opts...); err != nil {
				return err
			}
			v.show(o)
			return nil
		},
	}
}

// patch patches a subresource, if the patch was made from the version that
// there is.
func (v *versions) patch(ctx context.Context, cl client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	data, version, err := bare(data)
	if err != nil {
		return err
	}
	if _, err := v.expect(ctx, cl, o, version); err != nil {
		return err
	}
	o.SetResourceVersion("")
	if err := cl.SubResource(sub).Patch(ctx, o, client.RawPatch(p.Type(), data), opts...); err != nil {
		return err
	}
	v.show(o)
	return nil
}

// bare takes the version out of a merge patch, and returns both.
func bare(data []byte) (patch []byte, version string, err error) {
	var p map[string]any
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, "", err
	}
	if meta, ok := p["metadata"].(map[string]any); ok {
		version, _ = meta["resourceVersion"].(string)
		delete(meta, "resourceVersion")
	}
	patch, err = json.Marshal(p)
	return patch, version, err
}
