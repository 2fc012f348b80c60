package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/state"
)

// probeFlags are the flags of `lab probe`.
type probeFlags struct {
	probe.Config
	from    string
	summary bool
	here    bool
}

// probeVerb returns `lab probe`.
func probeVerb(e environment) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe --url URL",
		Short: "Ask a URL again and again, and report gaps, backends and client addresses",
		Long: `Ask a URL from a host of the lab, each time over a new TCP connection and on a
fixed schedule, and report how many answers were good, why others failed, the
longest gap between a good answer and the next good one, who answered, and the
client address that the backends saw.`,
		Example: "  lab probe --from client --url http://172.30.1.100/ --every 10ms --for 10s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.Validate(); err != nil {
				return err
			}
			if f.here {
				return probeHere(cmd, e, f)
			}
			args := []string{
				"probe", "--here", "--url=" + f.URL, "--every=" + f.Every.String(), "--for=" + f.For.String(),
				"--timeout=" + f.Timeout.String(), fmt.Sprintf("--summary=%t", f.summary),
			}
			return onHost(cmd, e, f.from, args)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "client", "host to ask from")
	fl.StringVar(&f.URL, "url", "", "what to ask for")
	fl.DurationVar(&f.Every, "every", 10*time.Millisecond, "time from one probe to the next")
	fl.DurationVar(&f.For, "for", 10*time.Second, "how long to start probes")
	fl.DurationVar(&f.Timeout, "timeout", 200*time.Millisecond, "how long one probe may take")
	fl.BoolVar(&f.summary, "summary", false, "leave the single answers out of the JSON document")
	fl.BoolVar(&f.here, "here", false, "ask from the network namespace of this process instead of a host's")
	_ = cmd.MarkFlagRequired("url") // fails only for a flag that is not there
	return cmd
}

// probeHere probes from where this process is.
func probeHere(cmd *cobra.Command, e environment, f probeFlags) error {
	r, err := probe.Run(cmd.Context(), f.Config)
	if err != nil {
		return err
	}
	if f.summary {
		r.Answers = nil
	}
	return e.print(cmd.OutOrStdout(), r, r.Text())
}

// onHost runs this program again, with args, in the network namespace of a
// host, and passes on what it prints. A verb that is interrupted tells what it
// saw until then, so the program there is asked to end, not killed.
func onHost(cmd *cobra.Command, e environment, name string, args []string) error {
	l, err := e.Lab()
	if err != nil {
		return err
	}
	if _, err := l.Host(name); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own program: %w", err)
	}
	if e.JSON() {
		args = append(args, "--json")
	}
	return runThere(cmd, l, name, append([]string{self}, args...))
}

// runThere runs argv on the host called name for the verb cmd.
func runThere(cmd *cobra.Command, l *state.Lab, name string, argv []string) error {
	var complaint bytes.Buffer
	c := host.Command(cmd.Context(), l, name, argv...)
	c.Stdout, c.Stderr = cmd.OutOrStdout(), &complaint
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGINT) }
	c.WaitDelay = 10 * time.Second
	err := c.Run()
	if err == nil || (errors.Is(err, context.Canceled) && c.ProcessState != nil && c.ProcessState.Success()) {
		return nil
	}
	if text := strings.TrimSpace(complaint.String()); text != "" {
		return errors.New(strings.TrimPrefix(text, "lab: "))
	}
	return fmt.Errorf("%s on %s: %w", argv[1], name, err)
}
