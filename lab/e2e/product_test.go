package e2e

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The bounds that Herald promises for a cluster that does nothing.
const (
	maxRSS   = 60 << 20
	maxReady = 3 * time.Second
)

// metricsPort is where each component serves its metrics.
var metricsPort = map[string]int{"controller": 8080, "speaker": 7472}

// Controller and speaker stay below maxRSS.
func testMemory(t *testing.T, c *cluster) {
	for component, port := range metricsPort {
		for _, pod := range c.pods(t, component) {
			rss := c.metric(t, pod.Name, port, "process_resident_memory_bytes")
			t.Logf("%s: %.1f MB resident", pod.Name, rss/(1<<20))
			if rss > maxRSS {
				t.Errorf("%s: %.1f MB resident, want below %d", pod.Name, rss/(1<<20), maxRSS>>20)
			}
		}
	}
}

// metric reads one metric without labels through the API server.
func (c *cluster) metric(t *testing.T, pod string, port int, name string) float64 {
	t.Helper()
	var value float64
	eventually(t, patience, name+" of "+pod, func(ctx context.Context) error {
		raw, err := c.kube.CoreV1().Pods(namespace).ProxyGet("http", pod, strconv.Itoa(port), "metrics", nil).DoRaw(ctx)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(strings.NewReader(string(raw)))
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				value, err = strconv.ParseFloat(rest, 64)
				return err
			}
		}
		return errNot("no such metric", name)
	})
	return value
}

// Controller and speaker are ready within maxReady of their start.
func testStart(t *testing.T, c *cluster) {
	for component := range metricsPort {
		old := map[string]bool{}
		for _, pod := range c.pods(t, component) {
			old[pod.Name] = true
		}
		c.kubectl(t, "-n", namespace, "delete", "pod", "--wait=false", "-l", "app.kubernetes.io/component="+component)
		eventually(t, 2*patience, "new pods of "+component, func(context.Context) error {
			pods := c.pods(t, component)
			if len(pods) != len(old) {
				return errNot(len(pods), len(old))
			}
			for _, pod := range pods {
				if old[pod.Name] || readyAfter(pod) == nil {
					return errNot(pod.Name, "a new pod that is ready")
				}
			}
			return nil
		})
		for _, pod := range c.pods(t, component) {
			took := readyAfter(pod)
			t.Logf("%s: ready %v after its start (the API counts whole seconds)", pod.Name, took)
			if took == nil || *took > maxReady {
				t.Errorf("%s: ready after %v, want %v", pod.Name, took, maxReady)
			}
		}
	}
	c.rolledOut(t)
}

// readyAfter returns how long after the start of its container a pod became
// ready, or nil when it is not.
func readyAfter(pod corev1.Pod) *time.Duration {
	for _, cond := range pod.Status.Conditions {
		if cond.Type != corev1.ContainersReady || cond.Status != corev1.ConditionTrue || len(pod.Status.ContainerStatuses) == 0 {
			continue
		}
		if run := pod.Status.ContainerStatuses[0].State.Running; run != nil {
			d := cond.LastTransitionTime.Sub(run.StartedAt.Time)
			return &d
		}
	}
	return nil
}

// A second cluster on the same machine has Herald and addresses of its own,
// and the first does not notice.
func testSecondCluster(t *testing.T, c *cluster) {
	addr := c.serve(t, service{name: "firstlab"})
	c.answers(t, addr)
	name := c.Name() + "b"
	second, err := bringUp(t.Context(), name, "--nodes", "1", "--ip-family", "ipv4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.takeDown(); err != nil {
			t.Error(err)
		}
	})
	setUp(t, second)
	other := second.serve(t, service{name: "secondlab"})
	second.answers(t, other)
	second.holder(t, other)
	c.answers(t, addr)
	c.holder(t, addr)
}

// serviceAccounts lists Herald's accounts.
var serviceAccounts = []string{"controller", "speaker"}

// username returns the name by which the API server knows an account.
func username(account string) string {
	return fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account)
}

// rules returns what an account may do: in the whole cluster and in its own
// namespace.
func (c *cluster) rules(t *testing.T, account string) []right {
	t.Helper()
	var out []right
	rbac := c.kube.RbacV1()
	bindings, err := rbac.ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings.Items {
		if !binds(b.Subjects, account) {
			continue
		}
		role, err := rbac.ClusterRoles().Get(t.Context(), b.RoleRef.Name, get)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, flatten(role.Rules, "")...)
	}
	local, err := rbac.RoleBindings("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range local.Items {
		if !binds(b.Subjects, account) {
			continue
		}
		role, err := rbac.Roles(b.Namespace).Get(t.Context(), b.RoleRef.Name, get)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, flatten(role.Rules, b.Namespace)...)
	}
	return out
}
