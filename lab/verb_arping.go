package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/probe/arping"
	"github.com/heraldlb/herald/lab/state"
)

// segmentLink is what a host calls its link to the switch.
const segmentLink = "eth0"

// arpingFlags are the flags of `lab arping`.
type arpingFlags struct {
	arping.Config
	from string
	ip   string
	each bool
	here bool
	macs map[string]string
	ask  []string
}

// arpingVerb returns `lab arping`.
func arpingVerb(e environment) *cobra.Command {
	var f arpingFlags
	cmd := &cobra.Command{
		Use:   "arping --ip IP",
		Short: "Ask the segment who has an address, and list everybody who answers",
		Long: `Ask, by ARP or neighbor solicitation, who has an address, once or for a while,
and list every link-layer address that answered, whose it is, and when: so one
sees whether exactly one node answers, two at once, or nobody. The question
comes from an address that no host has; the host's own neighbor cache learns
nothing from the answers. With --each every node is asked alone, as a client
asks that has that node in its cache.`,
		Example: "  lab arping --from client --ip 172.30.1.100 --every 10ms --for 5s --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ip, err := netip.ParseAddr(f.ip)
			if err != nil {
				return fmt.Errorf("ip %q: %w", f.ip, err)
			}
			f.Target = ip
			if f.here {
				return arpingHere(cmd, e, f)
			}
			return arpingFrom(cmd, e, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "client", "host to ask from")
	fl.StringVar(&f.ip, "ip", "", "address to ask for")
	fl.DurationVar(&f.Every, "every", 10*time.Millisecond, "time from one question to the next")
	fl.DurationVar(&f.For, "for", 0, "how long to ask; 0 asks once")
	fl.DurationVar(&f.Wait, "wait", 200*time.Millisecond, "how long to wait for answers to the last question")
	fl.BoolVar(&f.each, "each", false, "ask every node alone instead of everybody at once")
	fl.StringVar(&f.Interface, "interface", segmentLink, "interface to ask on")
	fl.BoolVar(&f.here, "here", false, "ask from the network namespace of this process instead of a host's")
	fl.StringToStringVar(&f.macs, "mac", nil, "with --here: HOST=MAC of hosts to name in the report")
	fl.StringSliceVar(&f.ask, "ask", nil, "with --here: hosts of --mac to ask each alone")
	_ = cmd.MarkFlagRequired("ip") // fails only for a flag that is not there
	return cmd
}

// arpingHere asks from where this process is.
func arpingHere(cmd *cobra.Command, e environment, f arpingFlags) error {
	f.Hosts, f.Each = map[string]net.HardwareAddr{}, f.ask
	for name, s := range f.macs {
		mac, err := net.ParseMAC(s)
		if err != nil {
			return fmt.Errorf("mac of %s: %w", name, err)
		}
		f.Hosts[name] = mac
	}
	r, err := arping.Run(cmd.Context(), f.Config)
	if err != nil {
		return err
	}
	return e.print(cmd.OutOrStdout(), r, r.Text())
}

// arpingFrom asks from a host, which is told the names of all others.
func arpingFrom(cmd *cobra.Command, e environment, f arpingFlags) error {
	l, err := e.Lab()
	if err != nil {
		return err
	}
	macs, err := linkMACs(cmd.Context(), l, f.Interface)
	if err != nil {
		return err
	}
	args := []string{
		"arping", "--here", "--ip=" + f.ip, "--every=" + f.Every.String(), "--for=" + f.For.String(),
		"--wait=" + f.Wait.String(), "--interface=" + f.Interface,
	}
	for _, name := range slices.Sorted(maps.Keys(macs)) {
		args = append(args, "--mac="+name+"="+macs[name])
	}
	for _, h := range l.ByRole(state.Node) {
		if f.each && h.Name != f.from {
			args = append(args, "--ask="+h.Name)
		}
	}
	return onHost(cmd, e, f.from, args)
}

// linkMACs returns the link-layer addresses of all hosts by the link of that
// name, which every host has.
func linkMACs(ctx context.Context, l *state.Lab, link string) (map[string]string, error) {
	macs := map[string]string{}
	for _, h := range l.Hosts {
		out, err := host.Output(ctx, l, h.Name, "ip", "-j", "link", "show", "dev", link)
		if err != nil {
			return nil, fmt.Errorf("link of %s: %w", h.Name, err)
		}
		var links []struct{ Address string }
		err = json.Unmarshal(out, &links)
		if err != nil || len(links) != 1 {
			return nil, cmp.Or(err, fmt.Errorf("link of %s: %q", h.Name, out))
		}
		macs[h.Name] = links[0].Address
	}
	return macs, nil
}
