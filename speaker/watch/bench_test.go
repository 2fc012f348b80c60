package watch

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/speaker/desired"
)

// A shelf is a reader that lists as a cache does when nothing is copied.
type shelf struct {
	client.Reader
	services []corev1.Service
	nodes    []corev1.Node
	// numbers are the places of Services by name.
	numbers map[string]int
}

func (s *shelf) Get(ctx context.Context, name client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	service, ok := o.(*corev1.Service)
	if !ok {
		return s.Reader.Get(ctx, name, o, opts...)
	}
	*service = s.services[s.numbers[name.Name]]
	return nil
}

func (s *shelf) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.ServiceList:
		l.Items = append([]corev1.Service{}, s.services...)
	case *corev1.NodeList:
		l.Items = append([]corev1.Node{}, s.nodes...)
	case *v1beta1.SpeakerStatusList:
	default:
		return s.Reader.List(ctx, list, opts...)
	}
	return nil
}

// One Service of many changes, or nothing does.
func BenchmarkPass(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		for _, changes := range []int{0, 1} {
			b.Run(fmt.Sprintf("services=%d/changes=%d", n, changes), func(b *testing.B) {
				benchmarkPass(b, n, changes)
			})
		}
	}
}

func benchmarkPass(b *testing.B, n, changes int) {
	world := newBench(b, &v1beta1.IPAddressPool{
		ObjectMeta: metav1.ObjectMeta{Name: "ten"}, Spec: v1beta1.IPAddressPoolSpec{Addresses: []string{"10.0.0.0/8"}},
	})
	s := &shelf{Reader: world.api, numbers: map[string]int{}}
	version := 0
	for i := range n {
		name := fmt.Sprintf("service-%d", i)
		s.numbers[name] = i
		version++
		s.services = append(s.services, lb(name, fmt.Sprint(version), fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)))
		version++
		endpoints := slice(name, name, fmt.Sprint(version), on("a", yes, nil, nil), on("b", yes, nil, nil))
		world.hear(&endpoints, false)
	}
	alive := []string{}
	for i := range 100 {
		name := fmt.Sprintf("node-%d", i)
		s.nodes = append(s.nodes, *node(name))
		alive = append(alive, name)
	}
	own := node("a")
	own.UID = "uid"
	s.nodes = append(s.nodes, *own)
	world.members.set(append(alive, "a")...)
	world.cluster = s
	ctx := context.Background()
	world.pass(ctx, time.Now())
	var claims []desired.Claim // what the others tell once they have heard of it
	for i := range n {
		claims = append(claims, desired.Claim{
			Address: netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i%250 + 1)}), Node: fmt.Sprintf("node-%d", i%100), Epoch: 2,
		})
	}
	world.members.Claim(claims)
	world.pass(ctx, time.Now())
	for b.Loop() {
		for range changes {
			version++
			changed := &s.services[version%n]
			changed.ResourceVersion = fmt.Sprint(version)
			world.heardOfService(ctx, changed)
		}
		world.pass(ctx, time.Now())
	}
}
