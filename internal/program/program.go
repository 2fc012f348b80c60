package program

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-kit/log"
	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/internal/kube"
	"github.com/heraldlb/herald/internal/logging"
	"github.com/heraldlb/herald/internal/version"
)

// Main runs the program called name until it is done, or told to end by
// SIGINT or SIGTERM; a second signal ends it at once. It exits with 1 and the
// error when run returns one.
func Main(name string, run func(ctx context.Context, args []string, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Settings are those that both programs have.
type Settings struct {
	// Namespace is where Herald runs, Class the spec.loadBalancerClass that it
	// handles beside Services that have none.
	Namespace, Class              string
	LogLevel, LogFormat           string
	MetricsAddress, HealthAddress string
	SecureMetrics                 bool
	// Version is true when only the version was asked for.
	Version bool
}

// Flags returns the flags of the program called name, which set s when they
// are parsed. What s has of addresses is the default.
func (s *Settings) Flags(name string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.Namespace, "namespace", cmp.Or(os.Getenv("HERALD_NAMESPACE"), v1beta1.Namespace),
		"namespace that Herald runs in (HERALD_NAMESPACE)")
	f.StringVar(&s.Class, "load-balancer-class", v1beta1.ClassHerald,
		"spec.loadBalancerClass of the Services to handle, beside those that have none")
	f.StringVar(&s.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.LogFormat, "log-format", "logfmt", "logfmt or json")
	f.StringVar(&s.MetricsAddress, "metrics-bind-address", s.MetricsAddress, "where to serve /metrics; 0 for nowhere")
	f.BoolVar(&s.SecureMetrics, "metrics-secure", false,
		"serve metrics by HTTPS, to clients that the API server knows and allows to get /metrics; needs the role system:auth-delegator")
	f.StringVar(&s.HealthAddress, "health-bind-address", s.HealthAddress,
		"where to serve /livez and /readyz; 0 for nowhere")
	f.BoolVar(&s.Version, "version", false, "print the version and exit")
	clientconfig.RegisterFlags(f)
	return f
}

// Parse parses args, which are flags only, and prints the version when that
// was asked for. The error of -h is flag.ErrHelp.
func (s *Settings) Parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: flags only", f.Arg(0))
	}
	if s.Version {
		fmt.Fprintln(f.Output(), version.String())
	}
	return nil
}

// Logger returns the program's logger, by which the libraries log as well.
func (s *Settings) Logger(stderr io.Writer) (log.Logger, error) {
	l, err := logging.New(stderr, s.LogLevel, s.LogFormat)
	if err != nil {
		return nil, err
	}
	kube.UseLogger(l)
	return l, nil
}

// ManagerOptions returns what kube.Manager is to be told.
func (s *Settings) ManagerOptions(l log.Logger) kube.Options {
	return kube.Options{
		Namespace: s.Namespace, Logger: l,
		MetricsAddress: s.MetricsAddress, SecureMetrics: s.SecureMetrics, HealthAddress: s.HealthAddress,
	}
}

// TuneMemory trades some processor time for memory, of which a program that
// mostly waits should hold little. GOGC in the environment has the last word.
func TuneMemory() {
	const percent = 50
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
