package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
)

const (
	// writers is how many Services are created or deleted side by side.
	writers = 16
	// manyRuns bounds the runs with very many addresses, which take long.
	manyRuns = 3
	// veryMany are so many.
	veryMany = 1000
)

// spread measures how fresh addresses are spread over the nodes, by the most
// that a node has, over the mean.
func (r *run) spread(ctx context.Context) error {
	if err := r.impartial(ctx); err != nil {
		return err
	}
	// What a node holds already counts, so nobody is to hold anything.
	if err := r.removeMeasured(ctx); err != nil {
		return err
	}
	r.table.Part("fresh addresses on 3 nodes: the most that a node has, over the mean")
	wanted := map[int]float64{3: 1, 10: 1.2, 100: 1.05}
	for _, n := range []int{3, 10, 30, 100, veryMany} {
		runs := r.o.Runs
		if n >= veryMany {
			runs = min(runs, manyRuns)
		}
		for _, fam := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
			f := figures.Figure{Name: fmt.Sprintf("%s, %d addresses", fam, n)}
			if most, ok := wanted[n]; ok {
				f.Most = &most
			}
			var err error
			f.Samples, err = r.spreadOften(ctx, runs, n, fam)
			if r.add(f); err != nil {
				return err
			}
		}
	}
	return r.setUp(ctx)
}

// spreadOften measures a spread as often as runs says.
func (r *run) spreadOften(ctx context.Context, runs, n int, fam corev1.IPFamily) ([]float64, error) {
	var shares []float64
	for range runs {
		share, err := r.spreadOnce(ctx, n, fam)
		if err != nil {
			return shares, err
		}
		shares = append(shares, share)
	}
	return shares, nil
}

// spreadOnce gives n Services addresses that nobody ever had, and returns how
// much more than its share the node with most of them has.
func (r *run) spreadOnce(ctx context.Context, n int, fam corev1.IPFamily) (float64, error) {
	pool, err := r.freshPool(ctx)
	if err != nil {
		return 0, err
	}
	err = sideBySide(ctx, n, func(ctx context.Context, i int) error {
		return r.create(ctx, service{name: fmt.Sprintf("%s-%d", pool.name, i), family: fam, annotation: forPool, wish: pool.name})
	})
	if err != nil {
		return 0, err
	}
	holders, err := r.settled(ctx, pool, n)
	if err != nil {
		return 0, err
	}
	has := map[string]int{}
	most := 0
	for _, node := range holders {
		has[node]++
		most = max(most, has[node])
	}
	return float64(most*len(r.nodes)) / float64(n), r.deleteServices(ctx)
}

// A freshPool has addresses that nobody ever had, on no network of the lab.
type freshPool struct {
	name     string
	prefixes []netip.Prefix
}

// freshPool makes one.
func (r *run) freshPool(ctx context.Context) (freshPool, error) {
	if r.pools++; r.pools > maxPools {
		return freshPool{}, fmt.Errorf("more than %d pools: measure in several runs", maxPools)
	}
	p := freshPool{name: fmt.Sprintf("fresh-%d", r.pools), prefixes: prefixes(r.pools)}
	return p, r.apply(ctx, fmt.Sprintf(`
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: %s}
spec: {addresses: [%q, %q], autoAssign: false}
`, p.name, p.prefixes[0], p.prefixes[1]))
}

const (
	// poolSize is how many IPv4 addresses a fresh pool has, as bits.
	poolSize = 10
	// maxPools is how many there are.
	maxPools = 1<<(32-15-poolSize) - 1
)

// prefixes returns those of the i-th fresh pool, within the networks that are
// set aside for measurements (RFC 2544) and for nobody (RFC 4193).
func prefixes(i int) []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(drive.At(netip.MustParsePrefix("198.18.0.0/15"), i<<poolSize), 32-poolSize),
		netip.MustParsePrefix(fmt.Sprintf("fd42:%x::/64", i)),
	}
}

// has reports whether an address is of the pool.
func (p freshPool) has(a netip.Addr) bool {
	return slices.ContainsFunc(p.prefixes, func(x netip.Prefix) bool { return x.Contains(a) })
}

// settled waits until n addresses of a pool are each held by one node, and that
// for two seconds, and returns the nodes.
func (r *run) settled(ctx context.Context, pool freshPool, n int) (map[netip.Addr]string, error) {
	var last map[netip.Addr]string
	since := time.Now()
	err := until(ctx, fmt.Sprintf("%d addresses of %s held", n, pool.name), func(ctx context.Context) error {
		holders, err := r.holders(ctx, pool)
		if err != nil {
			return err
		}
		if len(holders) != n {
			return fmt.Errorf("%d are", len(holders))
		}
		if !same(holders, last) {
			last, since = holders, time.Now()
		}
		if time.Since(since) < 2*time.Second {
			return errors.New("they still move")
		}
		return nil
	})
	return last, err
}

// same reports whether a and b are the same.
func same(a, b map[netip.Addr]string) bool { return len(a) == len(b) && moved(a, b, nil) == 0 }

// moved counts the addresses whose holder before is not that after, but for
// those that an excused node had.
func moved(before, after map[netip.Addr]string, excused func(node string) bool) int {
	n := 0
	for a, node := range before {
		if after[a] != node && (excused == nil || !excused(node)) {
			n++
		}
	}
	return n
}

// speakerStatuses names SpeakerStatuses.
var speakerStatuses = schema.GroupVersionResource{Group: "heraldlb.io", Version: "v1beta1", Resource: "speakerstatuses"}

// holders returns which node says to answer for each address of a pool. That
// two do is an error.
func (r *run) holders(ctx context.Context, pool freshPool) (map[netip.Addr]string, error) {
	list, err := r.objects.Resource(speakerStatuses).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := map[netip.Addr]string{}
	for i := range list.Items {
		node := list.Items[i].GetName()
		if !slices.Contains(r.nodes, node) {
			continue // that of a node that left
		}
		layer2, _, err := unstructured.NestedSlice(list.Items[i].Object, "status", "layer2")
		if err != nil {
			return nil, err
		}
		for _, raw := range layer2 {
			fields, _ := raw.(map[string]any)
			text, _ := fields["address"].(string)
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("speaker status of %s: %w", node, err)
			}
			if other := out[a]; pool.has(a) && other != "" {
				return nil, fmt.Errorf("%s is held by %s and %s", a, other, node)
			}
			if pool.has(a) {
				out[a] = node
			}
		}
	}
	return out, nil
}

// deleteServices deletes all Services that come and go, and waits until no
// speaker answers for any.
func (r *run) deleteServices(ctx context.Context) error {
	services := r.kube.CoreV1().Services("default")
	list, err := services.List(ctx, metav1.ListOptions{LabelSelector: madeHere})
	if err != nil {
		return err
	}
	err = sideBySide(ctx, len(list.Items), func(ctx context.Context, i int) error {
		return services.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{})
	})
	if err != nil {
		return err
	}
	all := freshPool{prefixes: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("fd42::/16")}}
	return until(ctx, "all given up", func(ctx context.Context) error {
		holders, err := r.holders(ctx, all)
		return cmp.Or(err, someLeft(len(holders)))
	})
}

// someLeft is an error when there are any.
func someLeft(n int) error {
	if n > 0 {
		return fmt.Errorf("%d are left", n)
	}
	return nil
}

// sideBySide calls do for 0 to n-1, up to writers at a time.
func sideBySide(ctx context.Context, n int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
