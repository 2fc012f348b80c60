package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
)

// pools makes IPAddressPools of names, created in that order; the range of
// each depends on the first letter of its name.
func pools(names ...string) []v1beta1.IPAddressPool {
	var out []v1beta1.IPAddressPool
	for i, name := range names {
		var p v1beta1.IPAddressPool
		p.Name = name
		p.CreationTimestamp = metav1.Unix(int64(1000+i), 0)
		p.Spec.Addresses = []string{"10.0." + string('0'+name[0]-'a') + ".0/24"}
		out = append(out, p)
	}
	return out
}

func TestRecall(t *testing.T) {
	steps := []struct {
		after time.Duration
		pools []v1beta1.IPAddressPool
		want  []string // names, those that are remembered last
		next  time.Duration
	}{
		{pools: pools("a", "b"), want: []string{"a", "b"}},
		{after: time.Second, pools: pools("a"), want: []string{"a", "b"}, next: recallTime},
		{after: 5 * time.Second, pools: nil, want: []string{"a", "b"}, next: recallTime - 5*time.Second},
		{after: time.Second, pools: pools("b"), want: []string{"b", "a"}, next: recallTime - time.Second},
		{after: recallTime - 2*time.Second, pools: pools("b"), want: []string{"b", "a"}, next: time.Second},
		{after: time.Second, pools: pools("b"), want: []string{"b"}},
		{after: time.Hour, pools: nil, want: []string{"b"}, next: recallTime},
		{after: recallTime, pools: nil, want: nil},
	}
	var r recall
	now := time.Unix(0, 0)
	for i, s := range steps {
		now = now.Add(s.after)
		var got []string
		for _, p := range r.pass(now, s.pools) {
			got = append(got, p.Name)
		}
		slices.Sort(got[min(len(s.pools), len(got)):]) // the order of those remembered is free
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("step %d: pools (-want +got)\n%s", i, diff)
		}
		next := time.Duration(0)
		if e := r.expiry(); !e.IsZero() {
			next = e.Sub(now)
		}
		if next != s.next {
			t.Errorf("step %d: next is forgotten after %v, want %v", i, next, s.next)
		}
	}
}

// A pool that was renamed, by deleting it first, is not in the way of the new
// one, and one that was deleted is still found by the addresses it had.
func TestRecallGivesWay(t *testing.T) {
	var r recall
	now := time.Unix(0, 0)
	r.pass(now, pools("a", "bee"))
	c, _ := config.Parse(config.Objects{Pools: r.pass(now.Add(time.Second), pools("another"))})
	if c.Pool("another") == nil || c.Pool("a") != nil || c.Pool("bee") == nil {
		t.Errorf("pools %v, want the new one and the one that nothing replaces", c.Pools)
	}
}
