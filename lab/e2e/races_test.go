package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var soak = flag.Bool("soak", false, "what can be kept up for long is: kill the controller for 5 minutes while 500 Services come and go, bear a hostile router for 3")

// maxTakeover bounds how long a Service waits for its address when the
// controller that acts is lost in the worst way.
const maxTakeover = 20 * time.Second

// Of two controllers one acts. When it is lost, a Service that waits has its
// address within maxTakeover, and no address is given out twice.
func testLoseLeader(t *testing.T, c *cluster) {
	c.rolledOut(t)
	c.answers(t, c.serve(t, service{name: "probe"})) // everybody is at work
	for _, loss := range []struct {
		name string
		lose func(leader *corev1.Pod)
	}{
		{"killed", func(p *corev1.Pod) { c.lab(t, "kill", p.Spec.NodeName, "controller", "--signal", "KILL") }},
		{"cut-off", func(p *corev1.Pod) {
			c.elsewhere(t, p)
			c.lab(t, "cut", p.Spec.NodeName)
			t.Cleanup(func() { c.healed(t, p.Spec.NodeName) })
		}},
	} {
		var leader *corev1.Pod
		eventually(t, patience, "a controller acts", func(ctx context.Context) (err error) {
			leader, err = c.leader(ctx)
			return err
		})
		start := time.Now()
		loss.lose(leader)
		svc := service{name: "after-" + loss.name}
		c.apply(t, svc.manifest())
		eventually(t, maxTakeover-time.Since(start), "address after the leader was "+loss.name, func(ctx context.Context) error {
			got, err := c.ingress(ctx, svc)
			if err == nil && len(got) != 1 {
				err = errNot(got, "one address")
			}
			return err
		})
		t.Logf("leader %s on %s %s: the next address after %v", leader.Name, leader.Spec.NodeName, loss.name, time.Since(start).Round(time.Millisecond))
		c.healed(t, leader.Spec.NodeName)
		c.rolledOut(t)
		c.heldOnce(t)
	}
}

// leader returns the pod that holds the controllers' lease.
func (c *cluster) leader(ctx context.Context) (*corev1.Pod, error) {
	lease, err := c.kube.CoordinationV1().Leases(namespace).Get(ctx, "herald-controller", get)
	if err != nil {
		return nil, err
	}
	holder := lease.Spec.HolderIdentity
	if holder == nil || *holder == "" {
		return nil, errNot("nobody", "a holder of the lease")
	}
	return c.kube.CoreV1().Pods(namespace).Get(ctx, *holder, get)
}

// elsewhere fails unless a controller runs on another node than leader's.
func (c *cluster) elsewhere(t *testing.T, leader *corev1.Pod) {
	t.Helper()
	for _, pod := range c.pods(t, "controller") {
		if pod.Spec.NodeName != leader.Spec.NodeName {
			return
		}
	}
	t.Fatalf("all controllers run on %s, want them on several nodes", leader.Spec.NodeName)
}

// heldOnce checks that no two Services show the same address.
func (c *cluster) heldOnce(t *testing.T) {
	t.Helper()
	list, err := c.kube.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string]string{}
	for i := range list.Items {
		s := &list.Items[i]
		for _, in := range s.Status.LoadBalancer.Ingress {
			if other, ok := holders[in.IP]; ok {
				t.Errorf("%s is shown by %s and %s", in.IP, other, s.Name)
			}
			holders[in.IP] = s.Name
		}
	}
}

// churning is the label of the Services that come and go, and the name of the
// pool that is for them alone.
const churning = "churning"

// The controller that acts is killed again and again while Services come and
// go. Never are there two that show one address, nobody's address changes, and
// afterwards every Service has one, and the pool counts exactly those.
func testKillInLoop(t *testing.T, c *cluster) {
	many, d := 60, 20*time.Second
	if *soak {
		many, d = 500, 5*time.Minute
	}
	c.apply(t, `
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: churning}
spec:
  addresses: [198.18.0.0/22]
  serviceAllocation: {priority: 1, serviceSelectors: [{matchLabels: {churning: "yes"}}]}
`)
	c.accepted(t, "ipaddresspools", churning, metav1.ConditionTrue)
	t.Cleanup(func() { c.noChurn(t) })
	l := c.watchAddresses(t)
	halt := c.comeAndGo(t, many)
	enough := func(kills int) bool { return kills >= 3 && l.given() > 2*many }
	kills := c.killInLoop(t, d, enough)
	ops := halt()
	left := c.allAssigned(t, l)
	t.Logf("controller killed %d times, %d Services created or deleted, %d addresses given out, %d left", kills, ops, l.given(), left)
	if !enough(kills) {
		t.Error("that is too little to show anything")
	}
	c.counts(t, churning, left)
	c.noChurn(t)
	c.counts(t, churning, 0)
	for _, fault := range l.faults() {
		t.Error(fault)
	}
	c.rolledOut(t)
}

// comeAndGo creates and deletes Services, on average so many at a time, until
// the function that it returns is called, which tells how often it did.
func (c *cluster) comeAndGo(t *testing.T, many int) (halt func() int) {
	ctx, stop := context.WithCancel(t.Context())
	ops, doneC := 0, make(chan struct{})
	go func() {
		defer close(doneC)
		random := rand.New(rand.NewPCG(1, 2))
		there := make([]bool, 2*many)
		tick := time.NewTicker(30 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			i := random.IntN(len(there))
			// Not ctx, so that it is always known what became of it.
			if err := c.toggle(context.Background(), i, there[i]); err != nil {
				t.Errorf("Service %d: %v", i, err)
				return
			}
			there[i] = !there[i]
			ops++
		}
	}()
	halt = func() int {
		stop()
		<-doneC
		return ops
	}
	t.Cleanup(func() { halt() })
	return halt
}

// toggle creates the Service number i that comes and goes, or deletes it.
func (c *cluster) toggle(ctx context.Context, i int, exists bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	services, name := c.kube.CoreV1().Services("default"), fmt.Sprintf("churning%d", i)
	if exists {
		return services.Delete(ctx, name, metav1.DeleteOptions{})
	}
	no := false
	_, err := services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{churning: "yes"}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, AllocateLoadBalancerNodePorts: &no,
			Ports: []corev1.ServicePort{{Port: 80}},
		},
	}, metav1.CreateOptions{})
	return err
}

// noChurn deletes the Services that came and went.
func (c *cluster) noChurn(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := c.Kubectl(ctx, "", "delete", "services", "--wait=false", "-l", churning+"=yes"); err != nil {
		t.Error(err)
	}
}

// killInLoop kills the controller that acts, a second or three after it was
// seen to act, and returns how often it did. It goes on for d, and longer until
// that is enough: how long nobody acts after a kill is up to the kubelet.
func (c *cluster) killInLoop(t *testing.T, d time.Duration, enough func(kills int) bool) (kills int) {
	random := rand.New(rand.NewPCG(3, 4))
	start := time.Now()
	for time.Since(start) < d || (!enough(kills) && time.Since(start) < d+patience) {
		<-time.After(time.Second + time.Duration(random.Int64N(int64(2*time.Second))))
		leader, err := c.leader(t.Context())
		if err != nil {
			continue // nobody acts
		}
		if _, err := c.Output(t.Context(), "kill", leader.Spec.NodeName, "controller", "--signal", "KILL"); err == nil {
			kills++
			continue
		}
		// The kubelet holds it back after two crashes; a new pod starts at once.
		c.kubectl(t, "-n", namespace, "delete", "pod", "--force", "--grace-period=0", "--ignore-not-found", leader.Name)
	}
	return kills
}

// allAssigned waits until every Service that came and stayed has an address,
// and l knows of it, and returns how many there are.
func (c *cluster) allAssigned(t *testing.T, l *ledger) int {
	t.Helper()
	left := 0
	eventually(t, patience, "all have an address", func(ctx context.Context) error {
		list, err := c.kube.CoreV1().Services("default").List(ctx, metav1.ListOptions{LabelSelector: churning + "=yes"})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if len(list.Items[i].Status.LoadBalancer.Ingress) != 1 {
				return errNot(list.Items[i].Name+" without an address", "one")
			}
		}
		if left = len(list.Items); l.held() != left {
			return errNot(fmt.Sprintf("%d addresses seen", l.held()), left)
		}
		return nil
	})
	return left
}

// counts waits until a pool's status counts so many addresses as assigned.
func (c *cluster) counts(t *testing.T, pool string, want int) {
	t.Helper()
	eventually(t, patience, "count of pool "+pool, func(ctx context.Context) error {
		obj, err := c.objects.Resource(herald("ipaddresspools")).Get(ctx, pool, get)
		if err != nil {
			return err
		}
		got, _, err := unstructured.NestedString(obj.Object, "status", "ipv4", "assigned")
		if err == nil && got != strconv.Itoa(want) {
			err = errNot(got+" assigned", want)
		}
		return err
	})
}

// ingressOf returns the only address that a Service shows, or none.
func ingressOf(s *corev1.Service) netip.Addr {
	if len(s.Status.LoadBalancer.Ingress) != 1 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(s.Status.LoadBalancer.Ingress[0].IP)
	return a
}
