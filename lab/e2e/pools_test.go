package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// A pool that is deleted and created again changes nobody's address, costs no
// connection, and its addresses are given to nobody else meanwhile.
func testRecreatePool(t *testing.T, c *cluster) {
	pool := c.pool("recreated", 190, 194, "priority: 5")
	c.apply(t, pool)
	c.accepted(t, "ipaddresspools", "recreated", metav1.ConditionTrue)
	kept := service{name: "keeps"}
	addr := c.serve(t, kept)
	if want := c.vip(190); addr != want {
		t.Fatalf("got %s, want %s", addr, want)
	}
	c.answers(t, addr)
	before := c.everyAddress(t)
	probe := c.probe(t, []netip.Addr{addr}, 30*time.Second)

	c.kubectl(t, "delete", "ipaddresspool", "recreated")
	c.refuses(t, service{name: "grabs", annotations: map[string]string{"heraldlb.io/addresses": addr.String()}}, addr)
	if other := c.serve(t, service{name: "meanwhile"}); other.Compare(c.vip(149)) > 0 {
		t.Errorf("a Service got %s while its pool was away", other)
	}
	always(t, 4*time.Second, "the address stays without its pool", func(ctx context.Context) error {
		return c.shows(ctx, kept, addr)
	})
	c.apply(t, pool)
	c.accepted(t, "ipaddresspools", "recreated", metav1.ConditionTrue)
	if next, want := c.serve(t, service{name: "joins"}), c.vip(191); next != want {
		t.Errorf("the next Service got %s, want %s", next, want)
	}
	c.counts(t, "recreated", 2)
	always(t, 2*time.Second, "the address stays with its pool", func(ctx context.Context) error {
		return c.shows(ctx, kept, addr)
	})
	unharmed(t, "pool deleted and created again", probe.stop(t), 0)
	for name, was := range before {
		if now := c.everyAddress(t)[name]; now != was {
			t.Errorf("%s had %s, has %s", name, was, now)
		}
	}
	c.heldOnce(t)
}

// refuses applies a Service that asks for an address that it must not get.
func (c *cluster) refuses(t *testing.T, s service, addr netip.Addr) {
	t.Helper()
	c.apply(t, s.manifest())
	c.pending(t, s, "AddressNotInPool", addr.String())
	c.kubectl(t, "delete", "service", s.name)
}

// shows says whether a Service shows the one address.
func (c *cluster) shows(ctx context.Context, s service, want netip.Addr) error {
	got, err := c.ingress(ctx, s)
	if err == nil && (len(got) != 1 || got[0] != want) {
		err = errNot(got, want)
	}
	return err
}

// everyAddress returns what every Service shows.
func (c *cluster) everyAddress(t *testing.T) map[string]netip.Addr {
	t.Helper()
	list, err := c.kube.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]netip.Addr{}
	for i := range list.Items {
		s := &list.Items[i]
		if a := ingressOf(s); a.IsValid() {
			out[s.Namespace+"/"+s.Name] = a
		}
	}
	return out
}

// A ledger follows, change by change, which Service shows which address. The
// API server tells all changes of Services in one order, so that two that show
// one address at the same time cannot be missed.
type ledger struct {
	mu sync.Mutex
	// holders are the Services that show an address now, firsts the address
	// that each Service was given first.
	holders map[netip.Addr]types.UID
	firsts  map[types.UID]netip.Addr
	wrong   []string
}

// watchAddresses starts a ledger of the Services that come and go.
func (c *cluster) watchAddresses(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{holders: map[netip.Addr]types.UID{}, firsts: map[types.UID]netip.Addr{}}
	w, err := c.kube.CoreV1().Services("default").Watch(t.Context(), metav1.ListOptions{LabelSelector: churning + "=yes"})
	if err != nil {
		t.Fatal(err)
	}
	doneC := make(chan struct{})
	go func() {
		defer close(doneC)
		for e := range w.ResultChan() {
			l.note(e)
		}
	}()
	t.Cleanup(func() {
		w.Stop()
		<-doneC
	})
	return l
}

// note notes one change.
func (l *ledger) note(e watch.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := e.Object.(*corev1.Service)
	if !ok {
		l.wrong = append(l.wrong, fmt.Sprintf("watch: %v %v", e.Type, e.Object))
		return
	}
	addr, first := ingressOf(s), l.firsts[s.UID]
	switch {
	case e.Type == watch.Deleted:
		if l.holders[first] == s.UID {
			delete(l.holders, first)
		}
	case !addr.IsValid() && first.IsValid():
		l.wrong = append(l.wrong, fmt.Sprintf("%s: lost %s: %v", s.Name, first, s.Status))
	case !addr.IsValid():
	case !first.IsValid():
		if other, held := l.holders[addr]; held {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: got %s, which %s holds", s.Name, addr, other))
		}
		l.firsts[s.UID], l.holders[addr] = addr, s.UID
	case addr != first:
		l.wrong = append(l.wrong, fmt.Sprintf("%s: moved from %s to %s", s.Name, first, addr))
	}
}

// held returns how many addresses are shown now.
func (l *ledger) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.holders)
}

// given returns how many Services were given an address so far.
func (l *ledger) given() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.firsts)
}

// faults returns what should not have been.
func (l *ledger) faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}
