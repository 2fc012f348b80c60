package assign

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/ipam"
)

// histories is how many TestHistories runs.
var histories = flag.Int("histories", 60, "how many random histories to run")

// A history drives a cluster at random, and knows what must never happen.
type history struct {
	*cluster
	r *rand.Rand
	// asked are the Services whose owner changed something since their status
	// was last in order.
	asked map[types.UID]bool
	// inPool is when each address was last in each pool.
	inPool map[netip.Addr]map[string]time.Time
	serial int
	log    []string
}

// Whatever happens, crashes and failing writes included: no status shows an
// address that another shows too and may not share; an address leaves a status
// only when its owner has asked for a change, no pool has had it for Grace, or
// it is in another pool than the one that its owner asks for;
// and when all is calm, every Service has what the book says, nothing is
// claimed that no status shows, and nothing is written.
func TestHistories(t *testing.T) {
	runs := *histories
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runHistory(t, uint64(seed)) })
	}
}

func runHistory(t *testing.T, seed uint64) {
	h := &history{
		r:     rand.New(rand.NewPCG(seed, 1)),
		asked: map[types.UID]bool{}, inPool: map[netip.Addr]map[string]time.Time{},
	}
	h.cluster = newCluster(t, poolObject("gold", "192.0.2.0/30", "2001:db8::/127"))
	h.wrote = h.checkWrite
	for range 120 {
		h.step()
		h.pools()
		h.checkShown()
		if t.Failed() {
			t.Fatalf("history: %q", h.log)
		}
	}
	h.fault = func() (error, bool) { return nil, false }
	h.pass(2 * Grace)
	h.checkCalm()
	h.quiet()
	if t.Failed() {
		t.Fatalf("history: %q", h.log)
	}
}

// step does one thing at random.
func (h *history) step() {
	switch n := h.r.IntN(100); {
	case n < 15:
		h.addService()
	case n < 22:
		h.note("remove", h.pick(func(s *corev1.Service) { h.remove(s) }))
	case n < 32:
		h.note("edit", h.pick(func(s *corev1.Service) {
			h.asked[s.UID] = true
			h.update(s, func() { h.wishes(s) })
		}))
	case n < 37:
		h.editPool()
	case n < 41:
		h.note("crash", "")
		h.begin()
	case n < 47:
		h.faults()
	case n < 55:
		h.now = h.now.Add(time.Duration(h.r.IntN(20)) * time.Second)
		h.note("pass", h.now.String())
	case n < 65:
		h.sync()
	case n < 75:
		h.a.term.follow(h.a)
	default:
		h.workOne()
	}
}

func (h *history) note(what, on string) { h.log = append(h.log, what+" "+on) }

// workOne does something that is enqueued.
func (h *history) workOne() {
	tasks := slices.SortedFunc(maps.Keys(h.tasks), func(x, y task) int {
		return compareKeys(client.ObjectKey{Name: x.kind + x.name}, client.ObjectKey{Name: y.kind + y.name})
	})
	if len(tasks) > 0 && h.r.IntN(2) == 0 {
		h.do(tasks[h.r.IntN(len(tasks))])
		return
	}
	keys := slices.SortedFunc(maps.Keys(h.queue), compareKeys)
	if len(keys) > 0 {
		k := keys[h.r.IntN(len(keys))]
		h.note("work", k.Name)
		h.work(k)
	}
}

// pick does something with one of the Services.
func (h *history) pick(do func(*corev1.Service)) string {
	live := h.live()
	keys := slices.SortedFunc(maps.Keys(live), compareKeys)
	if len(keys) == 0 {
		return ""
	}
	s := live[keys[h.r.IntN(len(keys))]]
	do(s)
	return s.Name
}

// addService creates a Service. What decides about sharing never changes, so
// that the law about it can be checked at any time.
func (h *history) addService() {
	h.serial++
	s := serviceNamed(fmt.Sprint("s", h.serial%9))
	s.CreationTimestamp.Time = h.now
	s.UID = types.UID(fmt.Sprint("uid", h.serial))
	switch h.r.IntN(4) {
	case 0:
		dual(corev1.IPFamilyPolicyRequireDualStack)(s)
	case 1:
		dual(corev1.IPFamilyPolicyPreferDualStack)(s)
	}
	if h.r.IntN(3) == 0 {
		shares("k")(s)
		port(80 + h.r.Int32N(3))(s)
	}
	h.wishes(s)
	if h.live()[client.ObjectKeyFromObject(s)] == nil {
		h.note("create", s.Name)
		h.create(s)
	}
}

// wishes changes what a Service asks for.
func (h *history) wishes(s *corev1.Service) {
	delete(s.Annotations, v1beta1.AnnotationAddresses)
	delete(s.Annotations, v1beta1.AnnotationAddressPool)
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	switch h.r.IntN(8) {
	case 0:
		asksAddress(fmt.Sprintf("192.0.2.%d", h.r.IntN(6)))(s)
	case 1:
		asksPool([]string{"gold", "iron", "none"}[h.r.IntN(3)])(s)
	case 2:
		asksAddress("bogus")(s)
	case 3:
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
}

// editPool creates, changes or deletes a pool.
func (h *history) editPool() {
	name := []string{"gold", "iron"}[h.r.IntN(2)]
	p := poolObject(name)
	err := h.api.Get(h.t.Context(), client.ObjectKey{Name: name}, p)
	contents := [][]string{{"192.0.2.0/30", "2001:db8::/127"}, {"192.0.2.0/31"}, {"198.51.100.0/30"}, {"192.0.2.2/31", "2001:db8:1::/126"}, {"mistake"}}
	spec := contents[h.r.IntN(len(contents))]
	switch {
	case apierrors.IsNotFound(err):
		p = poolObject(name, spec...)
		p.CreationTimestamp.Time = h.now
		h.create(p)
	case err != nil:
		h.t.Fatal(err)
	case h.r.IntN(2) == 0:
		h.remove(p)
	default:
		h.update(p, func() { p.Spec.Addresses = spec })
	}
	h.note("pool "+name, fmt.Sprint(spec))
}

// faults lets writes fail in some way from now on, or no longer.
func (h *history) faults() {
	kind := h.r.IntN(4)
	h.note("faults", fmt.Sprint(kind))
	h.fault = func() (error, bool) {
		if kind == 0 || h.r.IntN(2) == 0 {
			return nil, false
		}
		if kind == 1 {
			return apierrors.NewConflict(corev1.Resource("services"), "x", errInjected), false
		}
		return errInjected, kind == 2
	}
}

// pools notes which addresses are in a pool now, as far as was looked: a pool
// may come and go unseen.
func (h *history) pools() {
	for _, p := range h.a.term.pools {
		for _, r := range p.Ranges {
			for a := r.First(); r.Contains(a); a = a.Next() {
				if h.inPool[a] == nil {
					h.inPool[a] = map[string]time.Time{}
				}
				h.inPool[a][p.Name] = h.now
			}
		}
	}
}

// checkWrite checks that no address leaves a status without a reason.
func (h *history) checkWrite(before, after *corev1.Service) {
	if h.asked[before.UID] {
		if reason := ourCondition(after); reason != nil && reason.Reason == Assigned.String() {
			delete(h.asked, before.UID)
		}
		return
	}
	for _, a := range without(shownAddresses(before), shownAddresses(after)) {
		pools := h.lately(a)
		asked := newRequest(before).pool
		went := func(p string) bool { return p != asked && !h.inPool[a][p].Before(h.inPool[a][asked]) }
		if asked != "" && slices.ContainsFunc(pools, went) {
			continue // to another pool than the one that the Service asks for
		}
		if len(pools) > 0 {
			h.t.Errorf("%s loses %v, which %v had: %v", before.Name, a, pools, after.Status.Conditions)
		}
	}
}

// lately returns the pools that an address was in within Grace.
func (h *history) lately(a netip.Addr) []string {
	var out []string
	for p, last := range h.inPool[a] {
		if h.now.Sub(last) < Grace {
			out = append(out, p)
		}
	}
	return out
}

// checkShown checks that no address is shown twice by Services that must not
// share it.
func (h *history) checkShown() {
	shown := map[netip.Addr][]*corev1.Service{}
	for _, s := range h.live() {
		for _, a := range shownAddresses(s) {
			for _, other := range shown[a] {
				x, y := newRequest(s).sharing, newRequest(other).sharing
				if x.Key == "" || x.Key != y.Key || slices.Equal(x.Ports, y.Ports) {
					h.t.Errorf("%s and %s both show %v", s.Name, other.Name, a)
				}
			}
			shown[a] = append(shown[a], s)
		}
	}
}

// checkCalm checks that statuses, outcomes and claims agree.
func (h *history) checkCalm() {
	b := h.a.term.book
	live := h.live()
	for k, s := range live {
		e := b.entries[k.String()]
		if !handled(s, v1beta1.ClassHerald) {
			if e != nil || marked(s) || len(shownAddresses(s)) > 0 {
				h.t.Errorf("%s: not ours, but has an entry or shows something", k)
			}
			continue
		}
		if e == nil || !shows(s, e.outcome.addresses) {
			h.t.Errorf("%s: shows %v, outcome %+v", k, shownAddresses(s), e)
			continue
		}
		for _, held := range b.alloc.Holdings(k.String()) {
			if held.Pool != "" && !slices.Contains(e.outcome.addresses, held.Address) {
				h.t.Errorf("%s: holds %v, which it does not show", k, held)
			}
		}
		if len(e.leaving) > 0 {
			h.t.Errorf("%s: still leaving %v", k, e.leaving)
		}
	}
	for k := range b.entries {
		if live[objectKey(k)] == nil {
			h.t.Errorf("%s: has an entry, but is gone", k)
		}
	}
	for i := range h.a.term.pools {
		name := h.a.term.pools[i].Name
		held := map[netip.Addr]bool{}
		for k := range b.entries {
			for _, a := range b.alloc.Holdings(k) {
				if a.Pool == name && a.Address.Is4() {
					held[a.Address] = true
				}
			}
		}
		if u := b.alloc.Usage(name, ipam.IPv4); u.Assigned.Uint64() != uint64(len(held)) {
			h.t.Errorf("pool %s: %v assigned, %d held", name, u.Assigned, len(held))
		}
	}
}
