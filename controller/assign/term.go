package assign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/pause"
	"github.com/heraldlb/herald/ipam"
)

// pageSize bounds how many Services are read from the API server at once.
const pageSize = 500

// An object names one of Herald's objects.
type object struct{ kind, name string }

// counts are the usage of a pool by family.
type counts struct{ ipv4, ipv6 ipam.Usage }

// A term is the time in which this process is the one that decides. It begins
// with an empty book and what the API server says, so nothing that an earlier
// term believed can survive it.
//
// Several workers share it: they ask the book one at a time, and write what it
// says side by side, because writing is what takes time.
type term struct {
	// bind returns a context that ends with the term as well.
	bind func(context.Context) (context.Context, context.CancelFunc)
	// busy counts the workers that are in the middle of something.
	busy sync.WaitGroup
	// pokeC has a token when run should look what follows from a change.
	pokeC chan struct{}

	mu       sync.Mutex
	book     *book
	pools    []config.Pool // as the book has them
	verdicts map[object]config.Verdict
	counted  map[string]counts
	// stale has since when the counts in a pool's status have been out of date,
	// of the pools that a task will look at for that reason.
	stale map[string]time.Time
}

// newTerm reads the cluster and returns a term that has claimed every address
// in a status. The Services come from the API server itself, because a cache
// may not have seen yet what the last term wrote.
func (a *assigner) newTerm(ctx context.Context) (*term, []client.ObjectKey, error) {
	t := &term{
		bind: func(c context.Context) (context.Context, context.CancelFunc) {
			c, cancel := context.WithCancel(c)
			stop := context.AfterFunc(ctx, cancel)
			return c, func() { stop(); cancel() }
		},
		pokeC:    make(chan struct{}, 1),
		book:     newBook(),
		verdicts: map[object]config.Verdict{},
		counted:  map[string]counts{},
		stale:    map[string]time.Time{},
	}
	there, err := a.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	var namespaces corev1.NamespaceList
	if err := a.client.List(ctx, &namespaces); err != nil {
		return nil, nil, fmt.Errorf("list Namespaces: %w", err)
	}
	for i := range namespaces.Items {
		t.book.setNamespace(namespaces.Items[i].Name, labelsOf(&namespaces.Items[i]))
	}
	objects, err := kube.Collect(ctx, a.client, a.namespace)
	if err != nil {
		return nil, nil, err
	}
	cfg, verdicts := config.Parse(objects)
	if err := t.configure(cfg, verdicts, a.now()); err != nil {
		return nil, nil, err
	}
	t.book.snapshot = there.version
	t.book.start(there.requests, a.now())
	return t, there.keys, nil
}

// An inventory is what there was of Services at one resource version: the
// requests and the keys of those that concern us.
type inventory struct {
	requests []*request
	keys     []client.ObjectKey
	version  string
}

// survey lists the Services, and meanwhile waits for the cache to have all else.
func (a *assigner) survey(ctx context.Context) (inventory, error) {
	var there inventory
	var unlisted error
	var listing sync.WaitGroup
	listing.Go(func() { there, unlisted = a.listServices(ctx) })
	err := a.awaitCache(ctx)
	listing.Wait()
	return there, errors.Join(err, unlisted)
}

// listServices reads all Services from the API server.
func (a *assigner) listServices(ctx context.Context) (inventory, error) {
	var there inventory
	opts := &client.ListOptions{Limit: pageSize}
	for {
		var page corev1.ServiceList
		if err := a.live.List(ctx, &page, opts); err != nil {
			return inventory{}, fmt.Errorf("list Services: %w", err)
		}
		if there.version == "" {
			there.version = page.ResourceVersion // that of all pages
		}
		for i := range page.Items {
			s := &page.Items[i]
			ours := handled(s, a.class)
			if !ours && !marked(s) {
				continue
			}
			r := newRequest(s)
			r.disowned = !ours
			there.requests = append(there.requests, r)
			there.keys = append(there.keys, client.ObjectKeyFromObject(s))
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return there, nil
		}
	}
}

// configure puts a configuration in force. The book is bothered only when it
// says something new about pools.
func (t *term) configure(cfg *config.Config, verdicts []config.Verdict, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	rejected := map[string]bool{}
	next := make(map[object]config.Verdict, len(verdicts))
	for _, v := range verdicts {
		next[object{v.Kind, v.Name}] = v
		if v.Kind == v1beta1.KindIPAddressPool && !v.Accepted {
			rejected[v.Name] = true
		}
	}
	if t.book.pools == nil || !samePools(t.pools, cfg.Pools) || !maps.Equal(rejected, t.book.rejected) {
		if err := t.book.configure(cfg.Pools, rejected, now); err != nil {
			return fmt.Errorf("pools: %w", err)
		}
		t.pools = cfg.Pools
	}
	t.verdicts = next
	return nil
}

// lead runs one term until ctx ends. It waits for as long as the cluster
// cannot be read, and returns once no worker acts for the term any longer.
func (a *assigner) lead(ctx context.Context) {
	var t *term
	var keys []client.ObjectKey
	for told := false; t == nil; {
		var err error
		if t, keys, err = a.newTerm(ctx); err == nil {
			break
		}
		if !told && ctx.Err() == nil {
			told = true
			_ = level.Warn(a.logger).Log("msg", "cluster not read yet, trying again", "error", err)
		}
		if !pause.For(ctx, retryAfter) {
			return
		}
	}
	_ = level.Info(a.logger).Log("msg", "assigning addresses", "count", len(t.book.entries))
	a.setTerm(t)
	for _, k := range keys {
		a.services(k)
	}
	a.enqueueCached(ctx)
	t.run(ctx, a)
	a.setTerm(nil)
	t.busy.Wait()
}

// enqueueCached asks for a look at everything that the cache has, since what
// it told before the term was in place was not listened to.
func (a *assigner) enqueueCached(ctx context.Context) {
	a.tasks(task{})
	var services corev1.ServiceList
	var namespaces corev1.NamespaceList
	if err := a.client.List(ctx, &services, client.UnsafeDisableDeepCopy); err != nil {
		_ = level.Warn(a.logger).Log("msg", "cached services not listed", "error", err)
	}
	for i := range services.Items {
		if s := &services.Items[i]; handled(s, a.class) || marked(s) {
			a.services(client.ObjectKeyFromObject(s))
		}
	}
	if err := a.client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		_ = level.Warn(a.logger).Log("msg", "cached namespaces not listed", "error", err)
	}
	for i := range namespaces.Items {
		a.tasks(task{kind: kindNamespace, name: namespaces.Items[i].Name})
	}
}

// run does what follows from changes and from the passing of time, until ctx
// ends: those that wait are tried again, and whoever is concerned is enqueued.
func (t *term) run(ctx context.Context, a *assigner) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.pokeC:
		case <-timer.C:
		}
		next := t.follow(a)
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(next.Sub(a.now()), time.Millisecond))
		}
	}
}

// follow does one round of run, and returns when the next is due by the clock.
func (t *term) follow(a *assigner) time.Time {
	t.mu.Lock()
	now := a.now()
	if next := t.book.nextWake(now); !next.IsZero() && !now.Before(next) {
		t.book.wake(now)
	}
	t.book.retry(now)
	keys := t.book.takeChanged()
	pools := t.recount()
	next := t.book.nextWake(now)
	t.mu.Unlock()

	for _, k := range keys {
		a.services(objectKey(k))
	}
	for _, p := range pools {
		a.tasks(task{kind: v1beta1.KindIPAddressPool, name: p})
	}
	return next
}

// recount returns the names of the pools whose usage changed since last time,
// but for those that will be looked at anyway.
func (t *term) recount() []string {
	var changed []string
	next := make(map[string]counts, len(t.pools))
	for i := range t.pools {
		name := t.pools[i].Name
		c := counts{t.book.alloc.Usage(name, ipam.IPv4), t.book.alloc.Usage(name, ipam.IPv6)}
		_, stale := t.stale[name]
		if old, ok := t.counted[name]; !stale && (!ok || old != c) {
			changed = append(changed, name)
		}
		next[name] = c
	}
	t.counted = next
	return changed
}

// poke asks run for another round.
func (t *term) poke() {
	select {
	case t.pokeC <- struct{}{}:
	default: // one is due already
	}
}
