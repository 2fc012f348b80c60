package watch

import (
	"net/netip"
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
	var reasons map[netip.Addr]withdrawal
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(old) == 0 || len(now) > 0 && now[0].Address.Less(old[0].Address):
			level.Info(w.Logger).Log("msg", "address announced", "ip", now[0].Address,
				"service", strings.Join(now[0].Services, ","), "interface", strings.Join(now[0].Interfaces, ","))
			now = now[1:]
		case len(now) == 0 || old[0].Address.Less(now[0].Address):
			if reasons == nil {
				reasons = reasonsByAddress(state)
			}
			w.logWithdrawn(&old[0], reasons)
			old = old[1:]
		default:
			old, now = old[1:], now[1:]
		}
	}
}

// Reasons in the log that desired does not know.
const (
	reasonServiceGone = "ServiceGone" // no Service holds the address
	reasonHeldBack    = "HeldBack"    // this node may announce it after a while, see hold
)

// logWithdrawn logs that an address is not announced any more, and why not.
func (w *World) logWithdrawn(a *desired.Layer2Address, reasons map[netip.Addr]withdrawal) {
	why, ok := reasons[a.Address]
	if !ok {
		why.reason = reasonServiceGone
	}
	level.Info(w.Logger).Log("msg", "address withdrawn", "ip", a.Address,
		"service", strings.Join(a.Services, ","), "reason", why.reason, "node", why.holder)
}

// A withdrawal says why an address is not announced, and by whom it is.
type withdrawal struct{ reason, holder string }

// reasonsByAddress finds why addresses are not announced. One that should be,
// and is not, is held back.
func reasonsByAddress(state *desired.State) map[netip.Addr]withdrawal {
	out := make(map[netip.Addr]withdrawal, state.Declined.Len()+len(state.Layer2))
	for d := range state.Declined.All() {
		if d.Protocol != desired.ProtocolLayer2 {
			continue
		}
		out[d.Address] = withdrawal{reason: d.Reason.String(), holder: d.Holder}
	}
	for i := range state.Layer2 {
		out[state.Layer2[i].Address] = withdrawal{reason: reasonHeldBack}
	}
	return out
}
