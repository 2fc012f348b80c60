package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/router"
)

// What is wanted of BGP.
const (
	maxFull       = 5   // seconds
	maxOne        = 100 // milliseconds
	maxSpeakerRSS = 120 // megabytes
)

// announcer is the node that announces in the measurements of BGP.
const announcer = "node1"

// routers are those of the lab.
var routers = []string{"frr1", "bird1"}

// bgp measures how one node announces many Services to two routers, and one
// more among them.
func (b *bench) bgp(ctx context.Context) error {
	return b.routing(ctx, func() error {
		for _, n := range []int{min(someServices, b.o.prefixes), b.o.prefixes} {
			if err := b.announceAll(ctx, n); err != nil {
				return err
			}
		}
		return b.announceOne(ctx)
	})
}

// routing calls measure with BGP as the only mode. kube-proxy is away meanwhile:
// nobody connects to the Services, and it would have as much to do with them as
// all others together.
func (b *bench) routing(ctx context.Context, measure func() error) error {
	st, err := b.lab.Status(ctx)
	if err != nil {
		return err
	}
	if err := b.setUpBGP(ctx, st); err != nil {
		return err
	}
	for _, node := range st.Nodes() {
		if _, err := b.lab.Output(ctx, "kill", node, "kube-proxy"); err != nil {
			return err
		}
	}
	err = measure()
	for _, node := range st.Nodes() {
		_, e := b.lab.Output(context.WithoutCancel(ctx), "start", node, "kube-proxy")
		err = errors.Join(err, e)
	}
	return err
}

// setUpBGP makes the routers peers of one node, and BGP the only mode.
func (b *bench) setUpBGP(ctx context.Context, st *drive.Status) error {
	manifest := "{apiVersion: heraldlb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: bench}, spec: {}}\n"
	for _, h := range st.Hosts {
		if h.Role != "router" {
			continue
		}
		manifest += fmt.Sprintf(`---
apiVersion: heraldlb.io/v1beta1
kind: BGPPeer
metadata: {name: %s}
spec:
  myASN: 64512
  peerASN: %d
  peerAddress: %s
  connectTime: 1s
  nodeSelectors: [{matchLabels: {kubernetes.io/hostname: %s}}]
`, h.Name, router.DefaultASN, h.Addrs[0].Addr(), announcer)
	}
	if _, err := b.lab.Kubectl(ctx, "", "delete", "l2advertisements", "--all"); err != nil {
		return err
	}
	_, err := b.lab.Kubectl(ctx, manifest, "apply", "-f", "-")
	return err
}

// announceAll makes n Services with endpoints, restarts the speaker as often as
// asked for, and measures how long from its start until both routers have n
// routes.
func (b *bench) announceAll(ctx context.Context, n int) error {
	if err := b.createAllServed(ctx, n); err != nil {
		return err
	}
	times := map[string][]float64{}
	var rss []float64
	for range b.o.Runs {
		if _, err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.replaceSpeaker(ctx); err != nil {
			return err
		}
		at, err := b.arrived(ctx, n)
		if err != nil {
			return err
		}
		m, err := b.speaker(ctx)
		if err != nil {
			return err
		}
		for name, t := range at {
			times[name] = append(times[name], float64(t.UnixMicro())/1e6-m[metricStart])
		}
		rss = append(rss, m[metricRSS]/(1<<20))
	}
	b.table.Part(fmt.Sprintf("%d Services announced by BGP to 2 peers", n))
	for _, name := range routers {
		b.table.add("start of the speaker to all routes at "+name, "s", maxFull, times[name]...)
	}
	b.table.add("speaker that announces them, resident", "MB", maxSpeakerRSS, rss...)
	return nil
}

// createAllServed makes n Services with endpoints, and no others, and waits until
// both routers have their routes.
func (b *bench) createAllServed(ctx context.Context, n int) error {
	if err := b.deleteServices(ctx, b.ours); err != nil {
		return err
	}
	err := sideBySide(ctx, creators, n, func(ctx context.Context, i int) error { return b.createServed(ctx, serviceName(i)) })
	if err != nil {
		return err
	}
	if _, err := b.ours.allAssigned(ctx, n); err != nil {
		return err
	}
	_, err = b.arrived(ctx, n)
	return err
}

// createServed makes one Service and an endpoint of it.
func (b *bench) createServed(ctx context.Context, name string) error {
	ready, port := true, int32(8080)
	_, err := b.kube.DiscoveryV1().EndpointSlices(b.ours.namespace).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Port: &port}},
	}, metav1.CreateOptions{})
	if ignoreExists(err) != nil {
		return err
	}
	return b.createService(ctx, b.ours.namespace, name, "")
}

// replaceSpeaker kills the speaker that announces, and waits until the routers
// have no route of it.
func (b *bench) replaceSpeaker(ctx context.Context) error {
	_, err := b.lab.Kubectl(ctx, "", "-n", heraldNamespace, "delete", "pod", "--force", "--grace-period=0", "--wait=false",
		"-l", "app.kubernetes.io/component=speaker", "--field-selector=spec.nodeName="+announcer)
	if err != nil {
		return err
	}
	_, err = b.arrived(ctx, 0)
	return err
}

// speaker returns the metrics of the speaker that announces.
func (b *bench) speaker(ctx context.Context) (map[string]float64, error) {
	var out map[string]float64
	err := wait(ctx, "metrics of the speaker", func() (bool, error) {
		pods, err := b.pods(ctx, "speaker")
		if err != nil {
			return false, err
		}
		for i := range pods {
			if pods[i].Spec.NodeName != announcer || pods[i].Status.Phase != corev1.PodRunning {
				continue
			}
			out, err = b.metrics(ctx, pods[i].Name, speakerPort)
			return err == nil, nil // it may not serve yet
		}
		return false, nil
	})
	return out, err
}

// announceOne makes one more Service among all the others, again and again, and
// measures how long until routers forward to it and how much they were told.
func (b *bench) announceOne(ctx context.Context) error {
	n := max(b.o.Runs, minChurns)
	times, said := map[string][]float64{}, map[string][]float64{}
	for i := range n {
		if _, err := b.quiet(ctx); err != nil {
			return err
		}
		name := fmt.Sprintf("routed-%03d", i)
		if err := b.routed(ctx, name, func() error { return b.createServed(ctx, name) }, times, said); err != nil {
			return err
		}
	}
	b.tellRouted("created", times, said)
	return nil
}

// tellRouted adds what was seen of one Service of which something was done.
func (b *bench) tellRouted(done string, times, said map[string][]float64) {
	b.table.Part(fmt.Sprintf("one Service %s among %d that are announced", done, b.o.prefixes))
	for _, name := range routers {
		b.table.add("to the route in the kernel of "+name, "ms", maxOne, times[name]...)
	}
	b.table.add("UPDATEs to frr1", "", 1, said["frr1"]...)
	b.table.add("prefixes announced or withdrawn to bird1", "", 1, said["bird1"]...)
}

// routed does something by which the routers get the route of a Service, and
// adds what was seen of it.
func (b *bench) routed(ctx context.Context, name string, do func() error, times, said map[string][]float64) error {
	before := map[string]int{}
	watches := map[string]*drive.RouteWatch{}
	for _, r := range routers {
		w, err := b.lab.WatchRoutes(ctx, r)
		if err != nil {
			return err
		}
		defer w.End()
		watches[r] = w
		if before[r], err = b.told(ctx, r); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	addr, err := b.ours.address(ctx, name)
	if err != nil {
		return err
	}
	for _, r := range routers {
		// Each notes when a route comes, so one may be asked after the other.
		at, err := watches[r].Seen(ctx, addr)
		if err != nil {
			return err
		}
		times[r] = append(times[r], float64(at.Sub(began).Microseconds())/1000)
	}
	if _, err := b.quiet(ctx); err != nil {
		return err
	}
	for _, r := range routers {
		now, err := b.told(ctx, r)
		if err != nil {
			return err
		}
		said[r] = append(said[r], float64(now-before[r]))
	}
	return nil
}
