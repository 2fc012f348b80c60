package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/debug"

	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/version"
)

// settings are what the flags and the environment say.
type settings struct {
	namespace, node, class        string
	logLevel, logFormat           string
	metricsAddress, healthAddress string
	secureMetrics, version        bool

	gossipAddress netip.Addr
	gossipPort    int
	gossipLabel   string
}

// parse reads the flags; with -h or -version it has printed what was asked for.
func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("speaker", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.namespace, "namespace", cmp.Or(os.Getenv("HERALD_NAMESPACE"), v1beta1.Namespace),
		"namespace that Herald runs in (HERALD_NAMESPACE)")
	f.StringVar(&s.node, "node-name", os.Getenv("NODE_NAME"), "name of the node that this speaker runs on (NODE_NAME)")
	f.StringVar(&s.class, "load-balancer-class", v1beta1.ClassHerald,
		"spec.loadBalancerClass of the Services to announce, beside those that have none")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "logfmt", "logfmt or json")
	f.StringVar(&s.metricsAddress, "metrics-bind-address", ":7472", "where to serve /metrics; 0 for nowhere")
	f.BoolVar(&s.secureMetrics, "metrics-secure", false,
		"serve metrics by HTTPS, to clients that the API server knows and allows to get /metrics")
	f.StringVar(&s.healthAddress, "health-bind-address", ":7473", "where to serve /livez and /readyz; 0 for nowhere")
	address := f.String("memberlist-bind-address", cmp.Or(os.Getenv("HOST_IP"), os.Getenv("POD_IP")),
		"address of this node by which the speakers reach each other (HOST_IP, POD_IP)")
	f.IntVar(&s.gossipPort, "memberlist-bind-port", 7946, "port by which the speakers reach each other, TCP and UDP")
	f.StringVar(&s.gossipLabel, "memberlist-label", "",
		"name of the cluster in gossip, which keeps clusters that share a network apart")
	f.BoolVar(&s.version, "version", false, "print the version and exit")
	clientconfig.RegisterFlags(f)
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.version {
		fmt.Fprintln(stderr, version.String())
		return s, nil
	}
	return s, s.check(f.Args(), *address)
}

// check finds what is wrong with the flags together.
func (s *settings) check(args []string, address string) error {
	if len(args) > 0 {
		return fmt.Errorf("argument %q: flags only", args[0])
	}
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

// tuneMemory trades some processor time for memory, of which a speaker that
// mostly waits should hold little. GOGC in the environment has the last word.
func tuneMemory() {
	const percent = 50
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
