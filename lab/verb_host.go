package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/cluster"
	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// execVerb returns `lab exec`.
func execVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "exec HOST -- CMD [ARG...]",
		Short:   "Run a command in the network namespace of a host",
		Example: "  lab exec client -- ping -c 1 172.30.1.11",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := e.Lab()
			if err != nil {
				return err
			}
			if _, err := l.Host(args[0]); err != nil {
				return err
			}
			c := host.Command(cmd.Context(), l, args[0], args[1:]...)
			c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
			c.Stdin, c.Stdout, c.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return c.Run()
		},
	}
}

// cutVerb returns `lab cut`.
func cutVerb(e environment) *cobra.Command {
	return linkVerb(e, "cut", "Take the link of a host down at the switch", host.Cut)
}

// healVerb returns `lab heal`.
func healVerb(e environment) *cobra.Command {
	cmd := linkVerb(e, "heal", "Bring the link of a host up again; without a host, every link, and end a partition", host.Heal)
	one := cmd.RunE
	cmd.Use, cmd.Args = "heal [HOST]", cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return one(cmd, args)
		}
		err := e.change(cmd.Context(), func(s *state.Store) error { return host.Reunite(cmd.Context(), s) })
		if err != nil {
			return err
		}
		return e.print(cmd.OutOrStdout(), map[string]string{"heal": "all"}, "heal: all\n")
	}
	return cmd
}

// linkVerb returns a verb that does f to the link of one host.
func linkVerb(e environment, name, short string, f func(context.Context, *state.Store, string) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " HOST", Short: short,
		Example: "  lab " + name + " node1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := e.change(cmd.Context(), func(s *state.Store) error { return f(cmd.Context(), s, args[0]) })
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), map[string]string{name: args[0]}, fmt.Sprintf("%s: %s\n", name, args[0]))
		},
	}
}

// partitionVerb returns `lab partition`.
func partitionVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:   "partition HOST,HOST / HOST,HOST [/ ...]",
		Short: "Split the segment into sides that do not reach each other",
		Long: `Split the segment into sides that do not reach each other. Hosts that are not
named stay on the first side. A later partition replaces this one; lab heal
without a host ends it. Links keep their carrier.`,
		Example: "  lab partition node1,client / node2,node3,cp",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sides := parseSides(strings.Join(args, " "))
			err := e.change(cmd.Context(), func(s *state.Store) error { return host.Partition(cmd.Context(), s, sides) })
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), map[string]any{"sides": sides}, fmt.Sprintf("partition: %v\n", sides))
		},
	}
}

// parseSides reads "a,b / c d" as two sides.
func parseSides(s string) [][]string {
	var sides [][]string
	for side := range strings.SplitSeq(s, "/") {
		sides = append(sides, strings.FieldsFunc(side, func(r rune) bool { return r == ',' || r == ' ' }))
	}
	return sides
}

// killVerb returns `lab kill`.
func killVerb(e environment) *cobra.Command {
	var sig string
	cmd := &cobra.Command{
		Use:   "kill HOST PROCESS",
		Short: "Signal a daemon of a host, or a container of a pod on a node, by pid",
		Long: `Signal a daemon of a host (kubelet, etcd, ...) or the first process of every
container of that name in the pods of a node. A daemon that ends stays away until
lab start; a container is its kubelet's to start again.`,
		Example: "  lab kill node1 kubelet\n  lab kill node1 speaker --signal TERM",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseSignal(sig)
			if err != nil {
				return err
			}
			var pids []int
			err = e.change(cmd.Context(), func(s *state.Store) error {
				pids, err = kill(cmd.Context(), s, args[0], args[1], number)
				return err
			})
			if err != nil {
				return err
			}
			v := map[string]any{"host": args[0], "process": args[1], "signal": number.String(), "pids": pids}
			return e.print(cmd.OutOrStdout(), v, fmt.Sprintf("%s on %s: %s to %v\n", args[1], args[0], number, pids))
		},
	}
	cmd.Flags().StringVar(&sig, "signal", "KILL", "signal to send, by name or number")
	return cmd
}

// kill signals a daemon or, when there is none of that name, containers.
func kill(ctx context.Context, s *state.Store, on, process string, sig syscall.Signal) ([]int, error) {
	l := s.Lab()
	if _, err := l.Host(on); err != nil {
		return nil, err
	}
	if p, ok := l.Process(on, process); ok {
		return []int{p.PID}, host.Kill(ctx, s, on, process, sig)
	}
	pids, err := cluster.Containers(l, on, process)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, pid := range pids {
		errs = append(errs, host.Signal(l, on, pid, sig))
	}
	return pids, errors.Join(errs...)
}

// signals are the signals that tests send, by name.
var signals = map[string]syscall.Signal{
	"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "ABRT": syscall.SIGABRT,
}

// parseSignal reads a signal's name, with or without SIG, or its number.
func parseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	if sig, ok := signals[strings.TrimPrefix(strings.ToUpper(s), "SIG")]; ok {
		return sig, nil
	}
	return 0, fmt.Errorf("signal %q: want a name such as KILL, TERM, STOP or CONT, or a number", s)
}

// startVerb returns `lab start`.
func startVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "start HOST PROCESS",
		Short:   "Start a killed daemon again, as it was first started",
		Example: "  lab start node1 kubelet",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p state.Process
			err := e.change(cmd.Context(), func(s *state.Store) error {
				err := host.Restart(s, args[0], args[1])
				p, _ = s.Lab().Process(args[0], args[1])
				return err
			})
			if err != nil {
				return err
			}
			v := map[string]any{"host": args[0], "process": args[1], "pid": p.PID}
			return e.print(cmd.OutOrStdout(), v, fmt.Sprintf("%s on %s: %d\n", args[1], args[0], p.PID))
		},
	}
}
