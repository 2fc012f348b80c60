package assign

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/ipam"
)

// countInterval is how long a pool's counts in its status may be out of date.
// They are written so long after the first change that is not written yet: a
// burst costs one write in this time, and a change that is undone costs none.
const countInterval = 2 * time.Second

// A judged is one of Herald's objects that bears the condition Accepted.
type judged interface {
	client.Object
	StatusConditions() *[]metav1.Condition
}

// newJudged returns an empty object of a kind, or nil when it is not judged.
func newJudged(kind string) judged {
	switch kind {
	case v1beta1.KindIPAddressPool:
		return &v1beta1.IPAddressPool{}
	case v1beta1.KindL2Advertisement:
		return &v1beta1.L2Advertisement{}
	case v1beta1.KindBGPAdvertisement:
		return &v1beta1.BGPAdvertisement{}
	case v1beta1.KindBGPPeer:
		return &v1beta1.BGPPeer{}
	case v1beta1.KindBFDProfile:
		return &v1beta1.BFDProfile{}
	case v1beta1.KindCommunity:
		return &v1beta1.Community{}
	default:
		return nil
	}
}

// reconcileObject brings the status of one of Herald's objects in line with
// its verdict, and a pool's with its usage.
func (a *assigner) reconcileObject(ctx context.Context, o object) (reconcile.Result, error) {
	t := a.enter()
	if t == nil {
		return reconcile.Result{}, nil // enqueued again when a term begins
	}
	defer t.busy.Done()
	ctx, cancel := t.bind(ctx)
	defer cancel()

	obj := newJudged(o.kind)
	if obj == nil {
		return reconcile.Result{}, nil
	}
	if err := a.client.Get(ctx, client.ObjectKey{Name: o.name}, obj); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	v := t.verdict(o)
	if v.Kind == "" || v.Generation != obj.GetGeneration() {
		return reconcile.Result{}, nil // judged soon; what follows from it comes here
	}
	next := judgment(v, obj, a.now())
	told := meta.FindStatusCondition(*obj.StatusConditions(), v1beta1.ConditionAccepted)
	same := told != nil && *told == next
	status := map[string]any{"conditions": withCondition(*obj.StatusConditions(), next)}
	if pool, ok := obj.(*v1beta1.IPAddressPool); ok {
		u, current, wait := t.countsDue(pool, !same, a.now())
		if same && (current || wait > 0) {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		status["ipv4"], status["ipv6"] = addressCounts(u.ipv4), addressCounts(u.ipv6)
	} else if same {
		return reconcile.Result{}, nil
	}
	result, err := a.writeObject(ctx, obj, told, next, status)
	if err != nil || result.RequeueAfter > 0 {
		t.countsUnwritten(o)
	}
	return result, err
}

// verdict returns what is known of an object.
func (t *term) verdict(o object) config.Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.verdicts[o]
}

// countsDue returns a pool's counts, whether its status has them already, and
// how long they are not to be written; zero when they are written now, as they
// are in any case with something else.
func (t *term) countsDue(p *v1beta1.IPAddressPool, anyway bool, now time.Time) (u counts, current bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u = counts{t.book.alloc.Usage(p.Name, ipam.IPv4), t.book.alloc.Usage(p.Name, ipam.IPv6)}
	current = equalCounts(p.Status.IPv4, addressCounts(u.ipv4)) && equalCounts(p.Status.IPv6, addressCounts(u.ipv6))
	since, stale := t.stale[p.Name]
	if !stale {
		since = now
	}
	wait = max(0, since.Add(countInterval).Sub(now))
	if current || anyway || wait == 0 {
		delete(t.stale, p.Name) // so that recount tells of what changes from now on
		return u, current, 0
	}
	t.stale[p.Name] = since
	return u, false, wait
}

// countsUnwritten notes that a write failed, which is to be repeated.
func (t *term) countsUnwritten(o object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.kind == v1beta1.KindIPAddressPool {
		t.stale[o.name] = time.Time{}
	}
}

// writeObject writes a status, and tells of a verdict that changed.
func (a *assigner) writeObject(ctx context.Context, obj judged, told *metav1.Condition, next metav1.Condition, status map[string]any) (reconcile.Result, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": obj.GetResourceVersion()},
		"status":   status,
	})
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("encode status: %w", err)
	}
	written := obj.DeepCopyObject().(client.Object)
	err = a.client.Status().Patch(ctx, written, client.RawPatch(types.MergePatchType, patch))
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("write status: %w", err)
	}
	if wrong := next.Status == metav1.ConditionFalse; wrong && (told == nil || told.Reason != next.Reason) {
		a.events.tell(obj, kube.Event{
			Type: corev1.EventTypeWarning, Reason: next.Reason, Action: "Judge", Note: clip("not accepted: " + next.Message),
		})
	} else if !wrong && told != nil && told.Status == metav1.ConditionFalse {
		a.events.tell(obj, kube.Event{
			Type: corev1.EventTypeNormal, Reason: v1beta1.ConditionAccepted, Action: "Judge", Note: "accepted",
		})
	}
	return reconcile.Result{}, nil
}

// judgment is the condition that tells a verdict.
func judgment(v config.Verdict, obj judged, now time.Time) metav1.Condition {
	next := metav1.Condition{
		Type:               v1beta1.ConditionAccepted,
		Status:             metav1.ConditionFalse,
		ObservedGeneration: v.Generation,
		Reason:             v.Reason.String(),
		Message:            v.Message,
		LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	if v.Accepted {
		next.Status = metav1.ConditionTrue
	}
	if old := meta.FindStatusCondition(*obj.StatusConditions(), next.Type); old != nil && old.Status == next.Status {
		next.LastTransitionTime = old.LastTransitionTime
	}
	return next
}

// withCondition returns conditions with one put in its place.
func withCondition(conditions []metav1.Condition, c metav1.Condition) []metav1.Condition {
	out := slices.Clone(conditions)
	for i := range out {
		if out[i].Type == c.Type {
			out[i] = c
			return out
		}
	}
	return append(out, c)
}

// addressCounts is a usage as it stands in a status; nil when there is nothing
// of the family.
func addressCounts(u ipam.Usage) *v1beta1.AddressCounts {
	if u.Total.IsZero() {
		return nil
	}
	return &v1beta1.AddressCounts{
		Total: u.Total.String(), Assigned: u.Assigned.String(), Available: u.Available.String(),
	}
}

// equalCounts compares two counts, either of which may be absent.
func equalCounts(x, y *v1beta1.AddressCounts) bool {
	if x == nil || y == nil {
		return x == y
	}
	return *x == *y
}
