package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/cluster"
)

// imagesVerb returns `lab images`.
func imagesVerb(e environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Load container images into the nodes",
	}
	cmd.AddCommand(imagesLoadVerb(e))
	return cmd
}

// imagesLoadVerb returns `lab images load`.
func imagesLoadVerb(e environment) *cobra.Command {
	return &cobra.Command{
		Use:   "load TAR...",
		Short: "Import image tarballs into the container runtime of every node",
		Long: `Import image tarballs, as the program pack and other tools write them, into the
container runtime of every node. Pods that name such an image and do not insist
on pulling it use it. A node that joins later does not have it.`,
		Example: "  lab images load build/images/echo-amd64.tar",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := e.Lab()
			if err != nil {
				return err
			}
			for i, tar := range args {
				if _, err := os.Stat(tar); err != nil {
					return fmt.Errorf("image tarball: %w", err)
				}
				// A node has a working directory of its own.
				if args[i], err = filepath.Abs(tar); err != nil {
					return err
				}
			}
			if err := cluster.LoadImages(cmd.Context(), l, args...); err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), map[string][]string{"loaded": args}, "loaded: "+strings.Join(args, " ")+"\n")
		},
	}
}
