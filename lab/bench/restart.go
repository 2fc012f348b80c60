package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A restartTime is how long a restart of the controller took, in seconds from
// the deletion of the old pods.
type restartTime struct {
	// ready is when as many pods were ready as before, next when a Service that
	// was created as soon as the old pods were gone had its address, and born
	// when the process that acts now was started.
	ready, next, born float64
}

// restart deletes the controller's pods, all of them or the one that acts, while
// all Services have addresses. It measures how long until the next Service,
// created when the old process is gone, gets one, and what was written. Then it
// restarts the controller by a rollout.
func (b *bench) restart(ctx context.Context) error {
	if err := b.filled(ctx); err != nil {
		return err
	}
	err := b.restarts(ctx, "every pod of the controller deleted", func(p []controllerPod) []controllerPod { return p })
	if err != nil {
		return err
	}
	err = b.restarts(ctx, "the pod of the controller that acts deleted", func(p []controllerPod) []controllerPod {
		return slices.DeleteFunc(p, func(c controllerPod) bool { return !c.leads })
	})
	if err != nil {
		return err
	}
	if err := b.rollouts(ctx); err != nil {
		return err
	}
	return b.usage(ctx, "after the last restart")
}

// rollouts restarts the controller as an operator does, and measures how long
// Services are without an address that come and go meanwhile.
func (b *bench) rollouts(ctx context.Context) error {
	var longest, took []float64
	for i := range b.o.Runs {
		if _, err := b.quiet(ctx); err != nil {
			return err
		}
		began := time.Now()
		if _, err := b.lab.Kubectl(ctx, "", "-n", heraldNamespace, "rollout", "restart", "deployment/controller"); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() {
			_, err := b.lab.Kubectl(ctx, "", "-n", heraldNamespace, "rollout", "status", "deployment/controller", "--timeout=2m")
			done <- err
		}()
		worst, err := b.comeAndGo(ctx, fmt.Sprintf("rollout-%02d", i), done)
		if err != nil {
			return err
		}
		longest, took = append(longest, worst.Seconds()), append(took, time.Since(began).Seconds())
	}
	b.table.Part("rollout restart of the controller; Services created meanwhile, one after the other")
	b.table.add("longest time that one was without an address", "s", maxRestart, longest...)
	b.table.add("the rollout", "s", nothing, took...)
	return nil
}

// comeAndGo creates Services and deletes them again, one after the other until
// something is done, and returns the longest time that one had no address.
func (b *bench) comeAndGo(ctx context.Context, prefix string, done <-chan error) (worst time.Duration, err error) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-%03d", prefix, i)
		d, _, err := b.next(ctx, name)
		if err != nil {
			return 0, err
		}
		worst = max(worst, d)
		if err := b.deleteService(ctx, b.ours.namespace, name); err != nil {
			return 0, err
		}
		select {
		case err := <-done:
			return worst, err
		case <-time.After(ask):
		}
	}
}

// restarts replaces those of the controller's pods that are chosen, as often
// as asked for.
func (b *bench) restarts(ctx context.Context, what string, choose func([]controllerPod) []controllerPod) error {
	var ready, next, alone, written []float64
	total := tally{}
	for range b.o.Runs {
		before, err := b.quiet(ctx)
		if err != nil {
			return err
		}
		r, err := b.restartOnce(ctx, choose)
		if err != nil {
			return err
		}
		after, err := b.quiet(ctx)
		if err != nil {
			return err
		}
		step := after.minus(before)
		for w, k := range step {
			total[w] += k
		}
		ready, next = append(ready, r.ready), append(next, r.next)
		written = append(written, float64(step.total()))
		if r.born > 0 {
			alone = append(alone, r.next-r.born)
		}
	}
	b.table.Part(what + "; a Service created when it was gone")
	b.table.add("deletion to as many pods ready", "s", maxRestart, ready...)
	b.table.add("deletion to the new Service's address", "s", maxRestart, next...)
	if len(alone) > 0 {
		b.table.add("start of the new process to the new Service's address", "s", nothing, alone...)
	}
	b.table.add("writes, all of Herald's", "writes", nothing, written...)
	b.tellWrites("a restart", total, b.o.Runs)
	return nil
}

// restartOnce restarts what choose chooses once.
func (b *bench) restartOnce(ctx context.Context, choose func([]controllerPod) []controllerPod) (restartTime, error) {
	var r restartTime
	before, err := b.controllers(ctx)
	if err != nil {
		return r, err
	}
	n := len(before)
	victims := map[string]bool{}
	began := time.Now()
	for _, p := range choose(before) {
		victims[p.name] = true
		if err := b.kube.CoreV1().Pods(heraldNamespace).Delete(ctx, p.name, metav1.DeleteOptions{}); err != nil {
			return r, err
		}
	}
	b.restarted++
	name := fmt.Sprintf("restart-%03d", b.restarted)
	err = b.replaced(ctx, victims, n, func() error { return b.createService(ctx, b.ours.namespace, name, "") })
	if err != nil {
		return r, err
	}
	r.ready = time.Since(began).Seconds()
	at, err := b.ours.assignedAt(ctx, name)
	if err != nil {
		return r, err
	}
	r.next = at.Sub(began).Seconds()
	after, err := b.controllers(ctx)
	if err != nil {
		return r, err
	}
	for _, p := range after {
		if p.leads {
			r.born = p.metrics[metricStart] - float64(began.UnixMicro())/1e6
		}
	}
	return r, nil
}

// replaced calls onGone when the victims are gone, and waits until there are n
// other pods of the controller that are ready.
func (b *bench) replaced(ctx context.Context, victims map[string]bool, n int, onGone func() error) error {
	gone := false
	return waitEvery(ctx, ask, "new controller ready", func() (bool, error) {
		pods, err := b.allPods(ctx, "controller")
		if err != nil {
			return false, err
		}
		living := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return victims[p.Name] })
		if len(living) == len(pods) && !gone {
			gone = true
			if err := onGone(); err != nil {
				return false, err
			}
		}
		living = slices.DeleteFunc(living, func(p corev1.Pod) bool { return !ready(p) })
		return gone && len(living) >= n, nil
	})
}

// ready reports whether a pod is.
func ready(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
