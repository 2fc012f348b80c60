package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/router"
	"github.com/heraldlb/herald/lab/state"
)

// routesVerb returns `lab routes`.
func routesVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:   "routes ROUTER",
		Short: "Show a router's BGP sessions and routes, and what it installed in its kernel",
		Long: `Show a router's own view of BGP: its sessions with the state of BFD, every path
to every prefix as each peer announced it, and the next hops that it installed in
its kernel. FRR and BIRD are shown in the same form.`,
		Example: "  lab routes frr1 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, h, err := routerHost(e, args[0])
			if err != nil {
				return err
			}
			v, err := router.Show(cmd.Context(), l, h)
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), v, v.Text())
		},
	}
}

// routerVerb returns `lab router`.
func routerVerb(e environment) *cobra.Command {
	var (
		o        router.Options
		commands []string
		reload   bool
	)
	cmd := &cobra.Command{
		Use:   "router ROUTER [--command CMD]... | [--config FILE] [--asn N] [--peer-asn N] [--reload]",
		Short: "Speak to a router's own command line, or give it another configuration",
		Long: `With --command, run commands on the router's own command line (vtysh or birdc).
Without it, restart the router with the configuration that the other flags make:
the built-in one, or FILE, a Go template that can use {{.Name}}, {{.ASN}},
{{.PeerASN}}, {{.RouterID}}, {{.Addrs}} and {{.Segment}}. With --reload the router
goes on running: BIRD takes the configuration as a whole, FRR the lines on top of
what it has.`,
		Example: "  lab router frr1 --command 'show bgp summary'\n  lab router bird1 --config my-bird.conf",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(commands) > 0 {
				return speak(cmd, e, args[0], commands)
			}
			return configureRouter(cmd, e, args[0], o, reload)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&commands, "command", nil, "command for the router; may be given again")
	f.StringVar(&o.Config, "config", "", "template of the configuration (default the built-in one)")
	f.BoolVar(&reload, "reload", false, "do not restart the router")
	f.Uint32Var(&o.ASN, "asn", router.DefaultASN, "the router's AS number")
	f.Uint32Var(&o.PeerASN, "peer-asn", 0, "the only AS number that peers may have (default any other)")
	return cmd
}

// speak runs commands on a router's own command line.
func speak(cmd *cobra.Command, e environment, name string, commands []string) error {
	l, h, err := routerHost(e, name)
	if err != nil {
		return err
	}
	out, err := router.CLI(cmd.Context(), l, h, commands...)
	if err != nil {
		return err
	}
	return e.print(cmd.OutOrStdout(), map[string]string{"router": name, "output": string(out)}, string(out))
}

// configureRouter gives a router the configuration that o makes.
func configureRouter(cmd *cobra.Command, e environment, name string, o router.Options, reload bool) error {
	_, h, err := routerHost(e, name)
	if err != nil {
		return err
	}
	err = e.change(cmd.Context(), func(s *state.Store) error {
		if reload {
			return router.Reload(cmd.Context(), s.Lab(), h, o)
		}
		return router.Restart(cmd.Context(), s, h, o)
	})
	if err != nil {
		return err
	}
	return e.print(cmd.OutOrStdout(), map[string]string{"router": name}, fmt.Sprintf("%s: configured\n", name))
}

// routerHost reads the lab and the router called name in it.
func routerHost(e environment, name string) (*state.Lab, state.Host, error) {
	l, err := e.Lab()
	if err != nil {
		return nil, state.Host{}, err
	}
	h, err := l.Host(name)
	if err == nil && h.Role != state.Router {
		err = fmt.Errorf("host %q: not a router", name)
	}
	return l, h, err
}
