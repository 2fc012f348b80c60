package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/heraldlb/herald/internal/program"
	"github.com/heraldlb/herald/speaker/members"
	"github.com/heraldlb/herald/speaker/sentry"
)

// settings are what the flags and the environment say.
type settings struct {
	program.Settings
	node          string
	gossipAddress netip.Addr
	gossipPort    int
	gossipLabel   string
	profile       members.Profile
	// sentryInterval and sentryMultiplier are the pace of failure detection.
	sentryInterval   time.Duration
	sentryMultiplier uint8
	// probe is whether an address is probed before it is first announced.
	probe bool
}

// parse reads the flags; with -h or -version it has printed what was asked for.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{Settings: program.Settings{MetricsAddress: ":7472", HealthAddress: ":7473"}}
	f := s.Flags("speaker", stderr)
	f.StringVar(&s.node, "node-name", os.Getenv("NODE_NAME"), "name of the node that this speaker runs on (NODE_NAME)")
	address := f.String("memberlist-bind-address", cmp.Or(os.Getenv("HOST_IP"), os.Getenv("POD_IP")),
		"address of this node by which the speakers reach each other (HOST_IP, POD_IP)")
	f.IntVar(&s.gossipPort, "memberlist-bind-port", 7946, "port by which the speakers reach each other, TCP and UDP")
	f.StringVar(&s.gossipLabel, "memberlist-label", "",
		"name of the cluster in gossip, which keeps clusters that share a network apart")
	profile := f.String("memberlist-profile", members.LANFast.String(),
		"how soon a speaker that does not answer is taken for dead, and how steady that is: lan-fast, steady or wan")
	f.DurationVar(&s.sentryInterval, "failure-detection-interval", sentry.DefaultInterval,
		"time between two packets by which nodes watch each other, on the UDP port after memberlist-bind-port")
	multiplier := f.Uint("failure-detection-multiplier", sentry.DefaultMultiplier,
		"how many of these packets may be missed in a row before a node is asked whether it is there")
	f.BoolVar(&s.probe, "conflict-probe", true,
		"ask the network whether another station has an address before it is announced for the first time (RFC 5227)")
	if err := s.Parse(f, args); err != nil || s.Version {
		return s, err
	}
	return s, s.check(*address, *profile, *multiplier)
}

// check finds what is wrong with the flags together.
func (s *settings) check(address, profile string, multiplier uint) error {
	if s.node == "" {
		return errors.New("node-name: not given, and NODE_NAME is not set")
	}
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("memberlist-bind-address %q: want an IP address of this node (HOST_IP is used when it is not given)", address)
	}
	s.gossipAddress = addr.Unmap()
	if s.gossipPort < 1 || s.gossipPort > 65534 {
		return fmt.Errorf("memberlist-bind-port %d: want 1 to 65534, as the next one is for failure detection", s.gossipPort)
	}
	if s.profile, err = members.ParseProfile(profile); err != nil {
		return fmt.Errorf("memberlist-profile: %w", err)
	}
	if s.sentryInterval < 10*time.Millisecond || s.sentryInterval > 10*time.Second {
		return fmt.Errorf("failure-detection-interval %v: want 10ms to 10s", s.sentryInterval)
	}
	if multiplier < 2 || multiplier > 50 {
		return fmt.Errorf("failure-detection-multiplier %d: want 2 to 50", multiplier)
	}
	s.sentryMultiplier = uint8(multiplier)
	return nil
}
