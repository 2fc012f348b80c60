package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/probe/arping"
)

// announceFlags are the flags of `lab announce`.
type announceFlags struct {
	link string
	here bool
}

// announceVerb returns `lab announce`.
func announceVerb(e environment) *cobra.Command {
	var f announceFlags
	cmd := &cobra.Command{
		Use:   "announce HOST IP",
		Short: "Claim an address on the segment, as a host does that was just given it",
		Long: `Send one gratuitous ARP, or one unsolicited neighbor advertisement, for an
address under the link-layer address of a host, whether the host has the address
or not. It is how a station tells the segment that it was given an address.`,
		Example: "  lab announce client2 172.30.1.100",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ip, err := netip.ParseAddr(args[1])
			if err != nil {
				return fmt.Errorf("ip %q: %w", args[1], err)
			}
			if !f.here {
				return onHost(cmd, e, args[0], []string{"announce", "--here", "--interface=" + f.link, args[0], args[1]})
			}
			if err := arping.Announce(f.link, ip); err != nil {
				return err
			}
			text := fmt.Sprintf("%s: announced %s on %s\n", args[0], ip, f.link)
			return e.print(cmd.OutOrStdout(), map[string]string{"host": args[0], "ip": args[1], "interface": f.link}, text)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.link, "interface", segmentLink, "interface to announce on")
	fl.BoolVar(&f.here, "here", false, "announce in the network namespace of this process instead of a host's")
	return cmd
}
