package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/capture"
)

// captureVerb returns `lab capture`.
func captureVerb(e environment) *cobra.Command {
	var c capture.Config
	cmd := &cobra.Command{
		Use:   "capture HOST",
		Short: "Record a host's packets, as a pcap file and as text",
		Long: `Record the packets on a host's link for a while with tcpdump, and print them as
text, one packet a line. The recording stays in a pcap file.`,
		Example: "  lab capture client --filter 'arp or icmp6' --for 5s",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := e.Lab()
			if err != nil {
				return err
			}
			if _, err := l.Host(args[0]); err != nil {
				return err
			}
			c.Host = args[0]
			if c.File == "" {
				c.File = c.Host + ".pcap"
			}
			if c.File, err = filepath.Abs(c.File); err != nil {
				return err
			}
			r, err := capture.Record(cmd.Context(), l, c)
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), r, r.Text())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Filter, "filter", "", "filter expression of tcpdump (default everything)")
	f.DurationVar(&c.For, "for", 10*time.Second, "how long to record")
	f.StringVar(&c.Interface, "interface", segmentLink, `interface to record on, or "any"`)
	f.StringVar(&c.File, "out", "", "pcap file to write (default HOST.pcap)")
	return cmd
}
