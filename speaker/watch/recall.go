package watch

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// recallTime is how long a pool that was deleted is remembered: a little more
// than the 30 seconds for which the controller leaves its addresses to the
// Services that hold them.
const recallTime = 35 * time.Second

// A recall remembers pools that were deleted, so that one that is deleted and
// created again, as tools do that apply whole repositories, darkens nobody
// meanwhile. It is pure. The zero recall has seen no pools.
type recall struct {
	present map[string]v1beta1.IPAddressPool
	gone    map[string]departure
}

// A departure is a pool that was deleted, and how long it is remembered.
type departure struct {
	pool  v1beta1.IPAddressPool
	until time.Time
}

// pass takes note of the pools that there are, and returns them with those
// that are remembered. Of those, nothing is in force that a pool which exists
// says otherwise: they count as the youngest.
func (r *recall) pass(now time.Time, pools []v1beta1.IPAddressPool) []v1beta1.IPAddressPool {
	present := make(map[string]v1beta1.IPAddressPool, len(pools))
	for i := range pools {
		present[pools[i].Name] = pools[i]
	}
	for name, p := range r.present {
		if _, ok := present[name]; ok {
			continue
		}
		if r.gone == nil {
			r.gone = map[string]departure{}
		}
		p.CreationTimestamp = metav1.Time{}
		r.gone[name] = departure{pool: p, until: now.Add(recallTime)}
	}
	r.present = present
	all := pools[:len(pools):len(pools)]
	for name, d := range r.gone {
		if _, ok := present[name]; ok || !now.Before(d.until) {
			delete(r.gone, name)
			continue
		}
		all = append(all, d.pool)
	}
	return all
}

// remembers reports whether name is that of a pool that was deleted.
func (r *recall) remembers(name string) bool {
	_, ok := r.gone[name]
	return ok
}

// expiry returns when the next pool is forgotten; zero for never.
func (r *recall) expiry() time.Time {
	var first time.Time
	for _, d := range r.gone {
		if first.IsZero() || d.until.Before(first) {
			first = d.until
		}
	}
	return first
}
