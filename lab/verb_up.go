package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/cluster"
	"github.com/heraldlb/herald/lab/herald"
	"github.com/heraldlb/herald/lab/image"
	"github.com/heraldlb/herald/lab/router"
	"github.com/heraldlb/herald/lab/state"
)

// upVerb returns `lab up`.
func upVerb(e environment) *cobra.Command {
	var o state.Options
	var family, proxy string
	var install bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a lab, and install Herald into it",
		Long: `Build what is missing, start a control plane, nodes, clients and routers, wait
until the nodes are Ready, and install Herald from manifests/install.yaml. A lab
that runs already is verified; what a crash left half made is removed first.`,
		Example: "  lab up --nodes 3 --routers frr,bird --ip-family dual",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Family, err = state.ParseFamily(family); err != nil {
				return err
			}
			o.Proxy = state.ProxyMode(proxy)
			err = up(cmd.Context(), e, o, install)
			if l, e2 := e.Lab(); err != nil && e2 == nil && l.Phase == state.Starting {
				return fmt.Errorf("%w (logs are in %s; lab down --name %s removes what was started)", err, l.Dir, l.Name)
			}
			if err != nil {
				return err
			}
			return printStatus(cmd, e)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Nodes, "nodes", 3, "number of nodes")
	f.IntVar(&o.Clients, "clients", 1, "number of clients on the segment")
	f.StringSliceVar(&o.Routers, "routers", nil, "routers to start, of kind frr or bird")
	f.StringVar(&family, "ip-family", state.IPv4.String(), "ipv4, ipv6 or dual")
	f.StringVar(&proxy, "kube-proxy", string(state.NFTables), "mode of kube-proxy, nftables or iptables")
	f.DurationVar(&o.ProxyMinSync, "kube-proxy-min-sync", time.Second, "kube-proxy's minSyncPeriod")
	f.BoolVar(&o.Second, "second-network", false, "give every host a link eth1 to a second network, 172.31.I.0/24 and fd31:I::/64")
	f.StringVar(&o.ImageRepo, "image-repo", image.DefaultRepo, "repository of the images that the lab packs itself")
	f.BoolVar(&install, "install", true, "install Herald")
	return cmd
}

// up starts the lab and, if asked to, installs Herald.
func up(ctx context.Context, e environment, o state.Options, install bool) error {
	s, err := e.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := newCluster(s)
	if err != nil {
		return err
	}
	if !install {
		return c.Up(ctx, o)
	}
	h := herald.Config{Root: c.Root, Report: progress}
	if c.Images, err = herald.Images(ctx, h); err != nil {
		return err
	}
	if err := c.Up(ctx, o); err != nil {
		return err
	}
	h.Lab = s.Lab()
	return herald.Install(ctx, h)
}

// newCluster returns what changes the lab of s.
func newCluster(s *state.Store) (*cluster.Cluster, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	start := func(ctx context.Context, s *state.Store, h state.Host) error {
		return router.Start(ctx, s, h, router.Options{})
	}
	return cluster.New(cluster.Config{Store: s, Root: root, Report: progress, Router: start}), nil
}

// downVerb returns `lab down`.
func downVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop a lab and remove everything it made",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.Open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			existed := s.Lab() != nil
			c := cluster.New(cluster.Config{Store: s, Report: progress})
			if err := c.Down(cmd.Context()); err != nil {
				return err
			}
			text := fmt.Sprintf("lab %s is down\n", e.Name())
			return e.print(cmd.OutOrStdout(), map[string]any{"name": e.Name(), "existed": existed}, text)
		},
	}
}

// joinVerb returns `lab join`.
func joinVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "join [NODE]",
		Short:   "Add a node to a running lab, the lowest free one if none is named",
		Example: "  lab join node4",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var node state.Host
			err := e.change(cmd.Context(), func(s *state.Store) error {
				c, err := newCluster(s)
				if err != nil {
					return err
				}
				c.Images = herald.Installed(herald.Config{Lab: s.Lab(), Root: c.Root})
				node, err = c.Join(cmd.Context(), first(args))
				return err
			})
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), node, fmt.Sprintf("%s is Ready\n", node.Name))
		},
	}
}

// leaveVerb returns `lab leave`.
func leaveVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "leave NODE",
		Short:   "Take a node out of a running lab, at once",
		Example: "  lab leave node4",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := e.change(cmd.Context(), func(s *state.Store) error {
				c := cluster.New(cluster.Config{Store: s, Report: progress})
				return c.Leave(cmd.Context(), args[0])
			})
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), map[string]string{"left": args[0]}, fmt.Sprintf("%s left\n", args[0]))
		},
	}
}

// first returns the first of args, or "".
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
