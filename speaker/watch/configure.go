package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/internal/kube"
)

// configure parses the configuration again if one of its objects has changed,
// or a pool that was deleted is to be forgotten. What cannot be read leaves the
// last one in force.
func (w *World) configure(ctx context.Context, now time.Time) error {
	forget := w.recall.expiry()
	if !w.configStale.Swap(false) && (forget.IsZero() || now.Before(forget)) {
		return nil
	}
	objects, err := kube.Collect(ctx, w.cluster, w.Namespace)
	if err != nil {
		w.configStale.Store(true)
		return fmt.Errorf("read configuration: %w", err)
	}
	objects.Pools = w.recall.pass(now, objects.Pools)
	parsed, verdicts := config.Parse(objects)
	verdicts = slices.DeleteFunc(verdicts, func(v config.Verdict) bool {
		return v.Kind == v1beta1.KindIPAddressPool && w.recall.remembers(v.Name)
	})
	w.config, w.generation, w.routers = parsed, fingerprint(verdicts), routersOf(objects.Peers)
	w.metrics.config(w.judged(verdicts))
	return nil
}

// judged logs the verdicts that are new and not the best, and reports whether
// all of them are.
func (w *World) judged(verdicts []config.Verdict) bool {
	bad := map[string]config.Verdict{}
	for _, v := range verdicts {
		if v.Reason == config.Valid {
			continue
		}
		name := v.Kind + "/" + v.Name
		bad[name] = v
		if w.verdicts[name] != v {
			level.Warn(w.Logger).Log("msg", "configuration object not fully in force",
				"component", name, "reason", v.Reason, "error", v.Message)
		}
	}
	w.verdicts = bad
	return len(bad) == 0
}

// fingerprint names a configuration by the objects that are in force, so that
// people can tell whether two speakers have the same.
func fingerprint(verdicts []config.Verdict) string {
	h := sha256.New()
	for _, v := range verdicts {
		if v.Accepted {
			fmt.Fprintf(h, "%s/%s %d %s\n", v.Kind, v.Name, v.Generation, v.Reason)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}
