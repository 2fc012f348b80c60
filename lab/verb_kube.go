package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/cluster"
)

// kubeconfigVerb returns `lab kubeconfig`.
func kubeconfigVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "kubeconfig",
		Short:   "Print the path of the administrator's kubeconfig",
		Example: "  export KUBECONFIG=$(lab kubeconfig)",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := e.Lab()
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), map[string]string{"kubeconfig": l.Kubeconfig()}, l.Kubeconfig()+"\n")
		},
	}
}

// kubectlVerb returns `lab kubectl`.
func kubectlVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:     "kubectl -- ARGS",
		Short:   "Run kubectl on the lab's cluster",
		Example: "  lab kubectl -- get nodes -o wide",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := e.Lab()
			if err != nil {
				return err
			}
			if _, err := os.Stat(l.Kubeconfig()); err != nil {
				return fmt.Errorf("lab %q is %s: %w", l.Name, l.Phase, err)
			}
			root, err := repository()
			if err != nil {
				return err
			}
			bin, err := cluster.Programs(cmd.Context(), root, progress)
			if err != nil {
				return err
			}
			c := exec.CommandContext(cmd.Context(), filepath.Join(bin, "kubectl"), args...)
			c.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig())
			c.Stdin, c.Stdout, c.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return c.Run()
		},
	}
}
