package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/probe/arping"
)

const (
	// askEvery is how often is asked for an address that is about to answer.
	askEvery = 2 * time.Millisecond
	// askFor is how long that is done.
	askFor = 4 * time.Second
)

// fresh measures how soon the addresses of a new Service are answered for.
// Nobody ever had them.
func (r *run) fresh(ctx context.Context) error {
	var waits [2][]float64
	r.table.Part("Service of both families created, addresses new")
	defer func() {
		r.add(figures.Figure{Name: "IPv4, to the first answered ARP", Unit: "ms", Samples: waits[0], Most: figures.AtMost(100)})
		r.add(figures.Figure{Name: "IPv6, to the first answered NS", Unit: "ms", Samples: waits[1], Most: figures.AtMost(100)})
	}()
	for i := range r.o.Runs {
		var addrs []netip.Addr
		for _, p := range r.segments {
			addrs = append(addrs, drive.At(p, freshNumber+i))
		}
		took, err := r.answeredAfter(ctx, fmt.Sprintf("fresh-%d", i), addrs)
		if err != nil {
			return err
		}
		for j, d := range took {
			waits[j] = append(waits[j], milliseconds(d))
		}
	}
	return nil
}

// answeredAfter creates a Service with addresses, and returns how long it took
// from then until each was answered for.
func (r *run) answeredAfter(ctx context.Context, name string, addrs []netip.Addr) ([]time.Duration, error) {
	var asks []*drive.Running[arping.Report]
	for _, a := range addrs {
		q, err := r.Ask(a, r.link(a), askEvery, askFor)
		if err != nil {
			return nil, err
		}
		defer q.Drop()
		asks = append(asks, q)
	}
	if err := pause(ctx, baseline); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := r.create(ctx, service{name: name, annotation: forAddresses, wish: wish(addrs)}); err != nil {
		return nil, err
	}
	var took []time.Duration
	for _, q := range asks {
		report, err := q.Wait()
		if err != nil {
			return nil, err
		}
		at, err := firstAnswer(report)
		if err != nil {
			return nil, err
		}
		took = append(took, at.Sub(began))
	}
	return took, r.kube.CoreV1().Services("default").Delete(ctx, name, metav1.DeleteOptions{})
}

// firstAnswer returns when somebody first answered.
func firstAnswer(r *arping.Report) (time.Time, error) {
	for _, a := range r.Answers {
		if a.Kind == arping.Solicited {
			return r.Started.Add(time.Duration(a.AtMs * float64(time.Millisecond))), nil
		}
	}
	return time.Time{}, errors.New(r.Text())
}

// The annotations by which Services ask.
const (
	forAddresses = "heraldlb.io/addresses"
	forPool      = "heraldlb.io/address-pool"
)

// A service is what is wanted of a Service with endpoints.
type service struct {
	name string
	// family is the one that it wants, or empty for both.
	family corev1.IPFamily
	// It asks by an annotation, forAddresses or forPool, for something.
	annotation, wish string
}

// madeHere is the label of all Services that come and go.
const madeHere = "heraldlb.io/failover"

// create creates a Service.
func (r *run) create(ctx context.Context, s service) error {
	no, policy := false, corev1.IPFamilyPolicyRequireDualStack
	var families []corev1.IPFamily
	if s.family != "" {
		policy, families = corev1.IPFamilyPolicySingleStack, []corev1.IPFamily{s.family}
	}
	_, err := r.kube.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name, Annotations: map[string]string{s.annotation: s.wish}, Labels: map[string]string{madeHere: "yes"},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, AllocateLoadBalancerNodePorts: &no,
			IPFamilyPolicy: &policy, IPFamilies: families,
			Selector: map[string]string{"app": "echo"},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	return err
}
