package main

import (
	"cmp"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/version"
)

// settings are what the flags and the environment say.
type settings struct {
	namespace, class              string
	logLevel, logFormat           string
	metricsAddress, healthAddress string
	secureMetrics, leaderElect    bool
	version                       bool
}

// parse reads the flags; with -h or -version it has printed what was asked for.
func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("controller", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.namespace, "namespace", cmp.Or(os.Getenv("HERALD_NAMESPACE"), v1beta1.Namespace),
		"namespace that Herald runs in (HERALD_NAMESPACE)")
	f.StringVar(&s.class, "load-balancer-class", v1beta1.ClassHerald,
		"spec.loadBalancerClass of the Services to handle, beside those that have none")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "logfmt", "logfmt or json")
	f.StringVar(&s.metricsAddress, "metrics-bind-address", ":8080", "where to serve /metrics; 0 for nowhere")
	f.BoolVar(&s.secureMetrics, "metrics-secure", false,
		"serve metrics by HTTPS, to clients that the API server knows and allows to get /metrics")
	f.StringVar(&s.healthAddress, "health-bind-address", ":8081", "where to serve /livez and /readyz; 0 for nowhere")
	f.BoolVar(&s.leaderElect, "leader-elect", false, "act only while holding the lease; needed with several replicas")
	f.BoolVar(&s.version, "version", false, "print the version and exit")
	clientconfig.RegisterFlags(f)
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("argument %q: flags only", f.Arg(0))
	}
	if s.version {
		fmt.Fprintln(stderr, version.String())
	}
	return s, nil
}

// identity is the name to compete for the lease with; empty when there is no
// competition. The pod's own name lets a container that is started again take
// back the lease it held; without it a random part keeps processes apart that
// run on one host.
func (s settings) identity() string {
	if !s.leaderElect {
		return ""
	}
	if pod := os.Getenv("POD_NAME"); pod != "" {
		return pod
	}
	host, err := os.Hostname()
	if err != nil {
		host = "controller"
	}
	return host + "_" + rand.Text()
}

// tuneMemory trades some processor time for memory, of which a controller that
// mostly waits should hold little. GOGC in the environment has the last word.
func tuneMemory() {
	const percent = 50
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
