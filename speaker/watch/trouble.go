package watch

import (
	"strings"
	"time"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/desired"
)

// Failures are the errors of the steps of one pass.
type failures map[string]error

// add takes note of an error, if it is one, and reports whether it is.
func (f *failures) add(step string, err error) bool {
	if err == nil {
		return false
	}
	if *f == nil {
		*f = failures{}
	}
	(*f)[step] = err
	return true
}

// settle ends a pass: it logs each failure that is new and each that is over,
// and returns when to make the next pass, which is soon after a failure, then
// more and more rarely, and not later than next if that is not zero.
func (w *World) settle(errs failures, next time.Duration) time.Duration {
	for step := range w.troubles {
		if errs[step] == nil {
			level.Info(w.Logger).Log("msg", "pass recovered", "reason", step)
			delete(w.troubles, step)
		}
	}
	for step, err := range errs {
		w.metrics.errors.WithLabelValues(step).Inc()
		if text := err.Error(); w.troubles[step] != text {
			level.Warn(w.Logger).Log("msg", "pass incomplete, will retry", "reason", step, "error", err)
			w.troubles[step] = text
		}
	}
	if len(errs) == 0 {
		w.backoff = 0
		return next
	}
	w.backoff = min(max(2*w.backoff, retryFirst), retryLast)
	if next > 0 && next < w.backoff {
		return next
	}
	return w.backoff
}

// logChanges logs the addresses that this pass began or ceased to announce.
func (w *World) logChanges(state *desired.State, allowed []desired.Layer2Address) {
	old, now := w.announced, allowed
	var reasons map[string]desired.Declined
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(old) == 0 || len(now) > 0 && now[0].Address.Less(old[0].Address):
			level.Info(w.Logger).Log("msg", "address announced", "ip", now[0].Address,
				"service", strings.Join(now[0].Services, ","), "interface", strings.Join(now[0].Interfaces, ","))
			now = now[1:]
		case len(now) == 0 || old[0].Address.Less(now[0].Address):
			if reasons == nil {
				reasons = declinedByAddress(state)
			}
			w.logWithdrawn(&old[0], reasons)
			old = old[1:]
		default:
			old, now = old[1:], now[1:]
		}
	}
}

// logWithdrawn logs that an address is not announced any more, and why not.
func (w *World) logWithdrawn(a *desired.Layer2Address, reasons map[string]desired.Declined) {
	reason := "ServiceGone"
	d, ok := reasons[a.Address.String()]
	if ok {
		reason = d.Reason.String()
	}
	level.Info(w.Logger).Log("msg", "address withdrawn", "ip", a.Address,
		"service", strings.Join(a.Services, ","), "reason", reason, "node", d.Holder)
}

// declinedByAddress finds why addresses are not announced.
func declinedByAddress(state *desired.State) map[string]desired.Declined {
	out := make(map[string]desired.Declined, len(state.Declined))
	for _, d := range state.Declined {
		out[d.Address.String()] = d
	}
	return out
}
