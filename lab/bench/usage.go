package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The ports of the components' metrics.
const (
	controllerPort = "8080"
	speakerPort    = "7472"
)

// maxControllerRSS is how large the controller may be, in megabytes.
const maxControllerRSS = 110

// The metrics that are read: those of every process, and whether a controller
// is the one that acts.
const (
	metricRSS   = "process_resident_memory_bytes"
	metricCPU   = "process_cpu_seconds_total"
	metricStart = "process_start_time_seconds"
	metricLeads = "herald_controller_leader"
)

// A controllerPod is a pod of the controller, with its metrics.
type controllerPod struct {
	name    string
	metrics map[string]float64
	leads   bool
}

// allPods returns Herald's pods of a component.
func (c *clients) allPods(ctx context.Context, component string) ([]corev1.Pod, error) {
	list, err := c.kube.CoreV1().Pods(heraldNamespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/component=" + component,
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// pods returns those that are not being deleted.
func (c *clients) pods(ctx context.Context, component string) ([]corev1.Pod, error) {
	all, err := c.allPods(ctx, component)
	return slices.DeleteFunc(all, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), err
}

// controllers returns the pods of the controller.
func (c *clients) controllers(ctx context.Context) ([]controllerPod, error) {
	pods, err := c.pods(ctx, "controller")
	if err != nil {
		return nil, err
	}
	var out []controllerPod
	for _, p := range pods {
		m, err := c.metrics(ctx, p.Name, controllerPort)
		if err != nil {
			return nil, err
		}
		out = append(out, controllerPod{p.Name, m, m[metricLeads] == 1})
	}
	return out, nil
}

// metrics reads the metrics without labels of a pod through the API server.
func (c *clients) metrics(ctx context.Context, pod, port string) (map[string]float64, error) {
	raw, err := c.kube.CoreV1().Pods(heraldNamespace).ProxyGet("http", pod, port, "metrics", nil).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", pod, err)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "#" || strings.Contains(name, "{") {
			continue
		}
		if out[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("metrics of %s: %s: %w", pod, name, err)
		}
	}
	return out, lines.Err()
}

// usage adds what each component uses at this moment to the table.
func (b *bench) usage(ctx context.Context, when string) error {
	b.table.Part("memory and processor time, " + when)
	controllers, err := b.controllers(ctx)
	if err != nil {
		return err
	}
	var acting, standby []map[string]float64
	for _, p := range controllers {
		if p.leads {
			acting = append(acting, p.metrics)
		} else {
			standby = append(standby, p.metrics)
		}
	}
	b.tellUsage("controller that acts", maxControllerRSS, acting)
	b.tellUsage("controller that stands by", maxControllerRSS, standby)
	speakers, err := b.pods(ctx, "speaker")
	if err != nil {
		return err
	}
	var speaking []map[string]float64
	for _, p := range speakers {
		m, err := b.metrics(ctx, p.Name, speakerPort)
		if err != nil {
			return err
		}
		speaking = append(speaking, m)
	}
	b.tellUsage("speaker", nothing, speaking)
	cpu, err := cpuSeconds(b.apiServer)
	if err != nil {
		return err
	}
	b.table.add("kube-apiserver, CPU since its start", "s", nothing, cpu)
	return nil
}

// tellUsage adds what processes of one kind use, if there are any.
func (b *bench) tellUsage(what string, most float64, all []map[string]float64) {
	if len(all) == 0 {
		return
	}
	var rss, cpu []float64
	for _, m := range all {
		rss = append(rss, m[metricRSS]/(1<<20))
		cpu = append(cpu, m[metricCPU])
	}
	b.table.add(what+", resident", "MB", most, rss...)
	b.table.add(what+", CPU since its start", "s", nothing, cpu...)
}
