package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/image"
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// command returns the program's only command.
func command() *cobra.Command {
	var (
		spec     image.Spec
		out      string
		tarballs bool
	)
	cmd := &cobra.Command{
		Use:           "pack --name NAME:TAG --binary ARCH=PATH... --out PREFIX",
		Short:         "Pack static Linux binaries into a reproducible container image",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := (*image.Set).Write
			if tarballs {
				write = (*image.Set).WriteTarballs
			}
			return pack(cmd.OutOrStdout(), spec, out, write)
		},
	}
	f := cmd.Flags()
	f.StringVar(&spec.Name, "name", "", "image reference with its tag")
	f.StringToStringVar(&spec.Binaries, "binary", nil, "ARCH=PATH of a static binary; may be given again")
	f.StringVar(&spec.User, "user", "", "UID:GID that the program runs as (default root)")
	f.StringToStringVar(&spec.Labels, "label", nil, "KEY=VALUE of a label; may be given again")
	f.StringVar(&out, "out", "", "prefix of what is written: PREFIX-ARCH.tar and the OCI layout PREFIX/")
	f.BoolVar(&tarballs, "tarballs", false, "write the tarballs only, and leave an OCI layout that is there alone")
	for _, name := range []string{"name", "binary", "out"} {
		_ = cmd.MarkFlagRequired(name) // fails only for a flag that is not there
	}
	return cmd
}

// pack writes the image of spec below out by write, and prints digests to w.
func pack(w io.Writer, spec image.Spec, out string, write func(*image.Set, string) error) error {
	set, err := image.Pack(spec)
	if err != nil {
		return err
	}
	if err := write(set, out); err != nil {
		return err
	}
	digest, err := set.IndexDigest()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s\n", digest, out)
	for _, arch := range set.Architectures() {
		digest, err := set.Digest(arch)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %s\n", digest, image.Tarball(out, arch))
	}
	return nil
}
