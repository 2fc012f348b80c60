package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/cluster"
	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/router"
	"github.com/heraldlb/herald/lab/state"
)

// statusTime bounds how long `lab status` waits for the API server.
const statusTime = 3 * time.Second

// status is what `lab status` tells.
type status struct {
	Name       string         `json:"name"`
	Phase      state.Phase    `json:"phase"`
	Options    state.Options  `json:"options"`
	Kubeconfig string         `json:"kubeconfig"`
	AuditLog   string         `json:"auditLog"`
	Segment    []netip.Prefix `json:"segment"`
	Second     []netip.Prefix `json:"second,omitempty"`
	// APIServer is "ready", or what is wrong with it.
	APIServer string       `json:"apiServer"`
	Hosts     []hostStatus `json:"hosts"`
	// Healthy is true when the lab runs, everything in it runs, and every node
	// that is not cut off is Ready.
	Healthy bool `json:"healthy"`
}

// hostStatus is what `lab status` tells of a host.
type hostStatus struct {
	state.Host
	Netns string `json:"netns"`
	// Ready is what a node's condition says, empty for other hosts.
	Ready string `json:"ready,omitempty"`
	// Console is the socket of a router's own command line, empty for others.
	Console   string          `json:"console,omitempty"`
	Processes []processStatus `json:"processes"`
}

// processStatus is what `lab status` tells of a daemon.
type processStatus struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	Alive  bool   `json:"alive"`
	Killed bool   `json:"killed,omitempty"`
	Log    string `json:"log"`
}

// statusVerb returns `lab status`.
func statusVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show hosts, addresses, processes and the health of a lab",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return printStatus(cmd, e) },
	}
}

// printStatus prints the status of the lab.
func printStatus(cmd *cobra.Command, e environment) error {
	l, err := e.Lab()
	if err != nil {
		return err
	}
	st := newStatus(cmd.Context(), l)
	return e.print(cmd.OutOrStdout(), st, st.text())
}

// newStatus looks at the processes of l and asks its API server.
func newStatus(ctx context.Context, l *state.Lab) status {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	st := status{
		Name: l.Name, Phase: l.Phase, Options: l.Options, Kubeconfig: l.Kubeconfig(),
		AuditLog: cluster.AuditLog(l), Segment: l.Segment(), Second: l.SecondNetwork(), Healthy: l.Phase == state.Running,
	}
	ready, err := askNodes(ctx, l)
	st.APIServer = "ready"
	if err != nil {
		st.APIServer, st.Healthy = err.Error(), false
	}
	for _, h := range l.Hosts {
		hs := hostStatus{Host: h, Netns: l.Netns(h.Name), Ready: ready[h.Name], Console: router.Socket(l, h), Processes: []processStatus{}}
		for _, p := range l.Processes {
			if p.Host != h.Name {
				continue
			}
			alive := host.Alive(p)
			st.Healthy = st.Healthy && alive
			hs.Processes = append(hs.Processes, processStatus{Name: p.Name, PID: p.PID, Alive: alive, Killed: p.Killed, Log: p.Log})
		}
		if h.Role == state.Node && !h.Cut {
			st.Healthy = st.Healthy && hs.Ready == "True"
		}
		st.Hosts = append(st.Hosts, hs)
	}
	return st
}

// askNodes asks the API server which nodes are Ready.
func askNodes(ctx context.Context, l *state.Lab) (map[string]string, error) {
	api, err := cluster.NewAPI(l)
	if err != nil {
		return nil, err
	}
	if err := api.Ready(ctx); err != nil {
		return nil, err
	}
	return api.NodeReady(ctx)
}

// text returns the status for people.
func (s status) text() string {
	var b strings.Builder
	health := "healthy"
	if !s.Healthy {
		health = "NOT healthy"
	}
	o := s.Options
	fmt.Fprintf(&b, "lab %s: %s, %s; %s, kube-proxy %s (minSyncPeriod %s)\n", s.Name, s.Phase, health, o.Family, o.Proxy, o.ProxyMinSync)
	fmt.Fprintf(&b, "segment %s   API server %s\nkubeconfig %s\n", words(s.Segment), s.APIServer, s.Kubeconfig)
	for _, h := range s.Hosts {
		fmt.Fprintf(&b, "%-8s %-28s %s\n", h.Name, words(h.Addrs), strings.Join(h.notes(), ", "))
	}
	return b.String()
}

// notes returns what there is to say about a host in few words.
func (h hostStatus) notes() []string {
	var out []string
	if h.Role == state.Node {
		out = append(out, map[string]string{"True": "Ready", "False": "NotReady"}[h.Ready])
		if out[0] == "" {
			out[0] = "NotReady (unknown)"
		}
	}
	if h.Cut {
		out = append(out, "cut")
	}
	if h.Side > 0 {
		out = append(out, fmt.Sprintf("side %d", h.Side+1))
	}
	for _, p := range h.Processes {
		what := fmt.Sprintf("%s %d", p.Name, p.PID)
		switch {
		case p.Killed && !p.Alive:
			what = p.Name + " killed"
		case !p.Alive:
			what = p.Name + " DEAD"
		}
		out = append(out, what)
	}
	return out
}

// words writes prefixes with a space between.
func words(prefixes []netip.Prefix) string {
	var out []string
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}
