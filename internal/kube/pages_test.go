package kube

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// A shop is an API server with so many Services, which it lists by pages.
type shop struct {
	services int
	// listed counts the lists, streamed the watches that ask for what there is.
	listed, streamed atomic.Int32
}

func (s *shop) source() *toolscache.ListWatch {
	return &toolscache.ListWatch{
		ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
			s.listed.Add(1)
			if o.ResourceVersion != "" || o.Limit == 0 {
				return nil, fmt.Errorf("asked for version %q, %d at once", o.ResourceVersion, o.Limit)
			}
			from, _ := strconv.Atoi(o.Continue)
			l := &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
			for i := from; i < min(s.services, from+int(o.Limit)); i++ {
				l.Items = append(l.Items, corev1.Service{ObjectMeta: metav1.ObjectMeta{
					Namespace: "default", Name: fmt.Sprint(i), ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}},
				}})
			}
			if next := from + len(l.Items); next < s.services {
				l.Continue = fmt.Sprint(next)
				l.RemainingItemCount = new(int64(s.services - next))
			}
			return l, nil
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if o.SendInitialEvents != nil && *o.SendInitialEvents {
				s.streamed.Add(1)
			}
			return watch.NewFake(), nil
		},
	}
}

// A list by pages has all that there is, trimmed, and the version of that.
func TestListPages(t *testing.T) {
	for _, n := range []int{0, 1, pageSize, pageSize + 1, 3*pageSize + 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := &shop{services: n}
			p := &patient{lw: toolscache.ToListerWatcherWithContext(s.source()), outage: &outage{logger: log.NewNopLogger()}, trimService: Options{}.trimService}
			got, err := p.listPages(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
			if err != nil {
				t.Fatal(err)
			}
			l := got.(*corev1.ServiceList)
			if len(l.Items) != n || l.ResourceVersion != "7" || l.Continue != "" || l.RemainingItemCount != nil {
				t.Errorf("%d items, %+v; want %d of version 7 and no more", len(l.Items), l.ListMeta, n)
			}
			for i := range l.Items {
				if l.Items[i].Name != fmt.Sprint(i) || l.Items[i].ManagedFields != nil {
					t.Fatalf("item %d: %s with %d managed fields, want a trimmed one", i, l.Items[i].Name, len(l.Items[i].ManagedFields))
				}
			}
		})
	}
}

// An informer of Services lists by pages, and asks for no stream.
func TestInformerOfPages(t *testing.T) {
	s := &shop{services: 2*pageSize + 1}
	i := newInformer(log.NewNopLogger(), Options{}.trimService)(s.source(), &corev1.Service{}, 0, toolscache.Indexers{})
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.RunWithContext(ctx)
	}()
	if !toolscache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
		t.Error("not in sync")
	}
	if got := len(i.GetStore().List()); got != s.services || s.listed.Load() != 3 || s.streamed.Load() != 0 {
		t.Errorf("%d Services by %d lists and %d streams, want %d by 3 and 0", got, s.listed.Load(), s.streamed.Load(), s.services)
	}
	stop()
	<-done
}
