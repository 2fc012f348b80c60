package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/heraldlb/herald/internal/program"
)

// settings are what the flags and the environment say.
type settings struct {
	program.Settings
	node          string
	gossipAddress netip.Addr
	gossipPort    int
	gossipLabel   string
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
	if err := s.Parse(f, args); err != nil || s.Version {
		return s, err
	}
	return s, s.check(*address)
}

// check finds what is wrong with the flags together.
func (s *settings) check(address string) error {
	if s.node == "" {
		return errors.New("node-name: not given, and NODE_NAME is not set")
	}
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("memberlist-bind-address %q: want an IP address of this node (HOST_IP is used when it is not given)", address)
	}
	s.gossipAddress = addr.Unmap()
	if s.gossipPort < 1 || s.gossipPort > 65535 {
		return fmt.Errorf("memberlist-bind-port %d: want 1 to 65535", s.gossipPort)
	}
	return nil
}
