package watch

import (
	"fmt"
	"strings"

	"github.com/go-kit/log/level"

	"github.com/heraldlb/herald/speaker/desired"
)

// logRoutes logs the prefixes that this pass began or ceased to announce by BGP.
func (w *World) logRoutes(state *desired.State) {
	old, now := w.told.Routes, state.BGP.Routes
	var reasons map[string]desired.Reason
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(old) == 0 || len(now) > 0 && now[0].Prefix.Compare(old[0].Prefix) < 0:
			level.Info(w.Logger).Log("msg", "route announced", "ip", now[0].Prefix,
				"service", some(now[0].Services), "peer", some(now[0].Peers))
			now = past(now)
		case len(now) == 0 || old[0].Prefix.Compare(now[0].Prefix) < 0:
			if reasons == nil {
				reasons = reasonsByService(state.Declined)
			}
			level.Info(w.Logger).Log("msg", "route withdrawn", "ip", old[0].Prefix,
				"service", some(old[0].Services), "peer", some(old[0].Peers), "reason", whyGone(old[0].Services, reasons))
			old = past(old)
		default:
			old, now = past(old), past(now)
		}
	}
}

// past returns what follows the routes of the first prefix.
func past(routes []desired.Route) []desired.Route {
	first := routes[0].Prefix
	for len(routes) > 0 && routes[0].Prefix == first {
		routes = routes[1:]
	}
	return routes
}

// maxNamed is how many names a line of the log has at most.
const maxNamed = 3

// some joins names, and tells how many more there are when there are many.
func some(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ",")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ","), len(names)-maxNamed)
}

// whyGone returns the reason why one of some Services is not announced any more.
func whyGone(services []string, reasons map[string]desired.Reason) string {
	for _, s := range services {
		if r, ok := reasons[s]; ok {
			return r.String()
		}
	}
	return reasonServiceGone
}

// reasonsByService finds why Services are not announced by BGP.
func reasonsByService(declined desired.Declines) map[string]desired.Reason {
	out := map[string]desired.Reason{}
	for d := range declined.All() {
		if d.Protocol == desired.ProtocolBGP {
			out[d.Service] = d.Reason
		}
	}
	return out
}
