package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/heraldlb/herald/lab/drive"
)

// The names that Herald's users see.
const (
	namespace         = "herald-system"
	conditionAssigned = "heraldlb.io/AddressAssigned"
)

// patience bounds what normally takes a moment, on a machine that is busy.
const patience = 60 * time.Second

// A cluster is a lab that runs, with clients for its API.
type cluster struct {
	*drive.Lab
	kube    kubernetes.Interface
	objects dynamic.Interface
	// segments are the subnets that all hosts are on, IPv4 first, and seconds
	// those of the second network. Their addresses from .100 up are free for
	// pools.
	segments, seconds []netip.Prefix
	nodes             []string
	// names are the hosts of addresses.
	names map[netip.Addr]string
	// nears counts the addresses near each node that tests were given.
	nears map[string]int
}

// connect makes the clients for a lab that runs.
func connect(ctx context.Context, l *drive.Lab) (*cluster, error) {
	st, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", st.Kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = 100, 200
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &cluster{
		Lab: l, kube: kube, objects: objects, nears: map[string]int{},
		segments: st.Segment, seconds: st.Second, nodes: st.Nodes(), names: st.Names(),
	}, nil
}

// speaks reports whether the cluster has the family of an address.
func (c *cluster) speaks(like netip.Addr) bool {
	return slices.ContainsFunc(c.segments, func(p netip.Prefix) bool { return p.Addr().Is4() == like.Is4() })
}

// vip returns the address number n of the segment, of the first family.
func (c *cluster) vip(n int) netip.Addr { return drive.At(c.segments[0], n) }

// ranges returns the addresses from one number to another of each prefix, as
// the addresses of an IPAddressPool are written.
func ranges(prefixes []netip.Prefix, from, to int) string {
	var out []string
	for _, p := range prefixes {
		out = append(out, fmt.Sprintf("%q", drive.At(p, from).String()+"-"+drive.At(p, to).String()))
	}
	return strings.Join(out, ", ")
}

// wish returns annotations that ask for address number n of each prefix.
func wish(prefixes []netip.Prefix, n int) map[string]string {
	var out []string
	for _, p := range prefixes {
		out = append(out, drive.At(p, n).String())
	}
	return map[string]string{"heraldlb.io/addresses": strings.Join(out, ", ")}
}

// pending waits until the condition AddressAssigned of s is False with reason,
// its message has every one of words, and an event says the same.
func (c *cluster) pending(t *testing.T, s service, reason string, words ...string) {
	t.Helper()
	eventually(t, patience, s.name+" pending with "+reason, func(ctx context.Context) error {
		svc, err := c.kube.CoreV1().Services(s.space()).Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, cond := range svc.Status.Conditions {
			if cond.Type == conditionAssigned {
				return says(cond, metav1.ConditionFalse, reason, words)
			}
		}
		return errNot("no condition "+conditionAssigned, reason)
	})
	eventually(t, patience, s.name+" event", func(ctx context.Context) error {
		events, err := c.kube.EventsV1().Events(s.space()).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var notes []string
		for _, e := range events.Items {
			if e.Regarding.Kind == "Service" && e.Regarding.Name == s.name {
				if containsAll(e.Note, words) {
					return nil
				}
				notes = append(notes, e.Note)
			}
		}
		return errNot(notes, words)
	})
}

// says compares a condition with what it should be.
func says(cond metav1.Condition, status metav1.ConditionStatus, reason string, words []string) error {
	if cond.Status != status || cond.Reason != reason || !containsAll(cond.Message, words) {
		return errNot(fmt.Sprintf("%s %s %q", cond.Status, cond.Reason, cond.Message), fmt.Sprint(status, " ", reason, " ", words))
	}
	return nil
}

func containsAll(s string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) })
}

// accepted waits until the condition Accepted of one of Herald's objects is as
// wanted and its message has every one of words.
func (c *cluster) accepted(t *testing.T, resource, name string, status metav1.ConditionStatus, words ...string) {
	t.Helper()
	eventually(t, patience, resource+" "+name+" Accepted="+string(status), func(ctx context.Context) error {
		obj, err := c.objects.Resource(herald(resource)).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, err := unstructured.NestedSlice(obj.Object, "status", "conditions")
		if err != nil {
			return err
		}
		for _, raw := range conditions {
			cond := raw.(map[string]any)
			message, _ := cond["message"].(string)
			if cond["type"] != "Accepted" {
				continue
			}
			if cond["status"] != string(status) || !containsAll(message, words) {
				return errNot(cond, fmt.Sprint(status, words))
			}
			return nil
		}
		return errNot("no condition", "Accepted")
	})
}

// herald names one of Herald's resources.
func herald(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "heraldlb.io", Version: "v1beta1", Resource: resource}
}

// rolledOut waits until Herald's Deployment and DaemonSet are up to date and ready.
func (c *cluster) rolledOut(t *testing.T) {
	t.Helper()
	eventually(t, 2*patience, "rollout", func(ctx context.Context) error {
		d, err := c.kube.AppsV1().Deployments(namespace).Get(ctx, "controller", metav1.GetOptions{})
		if err != nil {
			return err
		}
		s, err := c.kube.AppsV1().DaemonSets(namespace).Get(ctx, "speaker", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !deploymentReady(d) || !daemonSetReady(s) {
			return errNot(fmt.Sprintf("controller %+v, speaker %+v", d.Status, s.Status), "ready")
		}
		return nil
	})
}

func deploymentReady(d *appsv1.Deployment) bool {
	return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == *d.Spec.Replicas &&
		d.Status.ReadyReplicas == *d.Spec.Replicas && d.Status.Replicas == *d.Spec.Replicas
}

func daemonSetReady(d *appsv1.DaemonSet) bool {
	return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled &&
		d.Status.NumberReady == d.Status.DesiredNumberScheduled
}

// pods returns Herald's pods of one component.
func (c *cluster) pods(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	list, err := c.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/component=" + component,
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}
