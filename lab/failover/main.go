package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/drive"
)

// started is when this program started, for progress.
var started = time.Now()

// options are the flags.
type options struct {
	root  string
	name  string
	runs  int
	steps []string
	busy  time.Duration
	keep  bool
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("failover", flag.ContinueOnError)
	f.StringVar(&o.root, "root", ".", "the repository, with the lab program in its build directory")
	f.StringVar(&o.name, "name", "failover", "name of the lab to run in")
	f.IntVar(&o.runs, "runs", 7, "how often to repeat each measurement")
	f.DurationVar(&o.busy, "busy", 10*time.Minute, "how long to keep all processors busy, half of it at a low priority")
	steps := f.String("steps", strings.Join(stepNames(), ","), "what to measure")
	f.BoolVar(&o.keep, "keep", false, "leave the lab running, and use one that runs")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.runs < 1 || o.busy < 0 {
		return o, fmt.Errorf("runs %d, busy %v: want at least 1 and 0", o.runs, o.busy)
	}
	o.steps = strings.Split(*steps, ",")
	for _, name := range o.steps {
		if !slices.Contains(stepNames(), name) {
			return o, fmt.Errorf("step %q: want some of %s", name, strings.Join(stepNames(), ","))
		}
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

// start is the program: it starts a lab, measures, prints the table, and takes
// the lab down again.
func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	l, err := drive.New(o.root, o.name)
	if err != nil {
		return err
	}
	if !o.keep {
		defer down(context.WithoutCancel(ctx), l)
	}
	if err := l.Show(ctx, "up", "--nodes", "3", "--clients", "2", "--routers", "frr,bird", "--ip-family", "dual", "--second-network"); err != nil {
		return err
	}
	r, err := newRun(ctx, l, o)
	if err != nil {
		return err
	}
	err = r.measure(ctx)
	// What was measured before something went wrong is worth reading too.
	if e := r.table.Write(os.Stdout); err == nil {
		err = e
	}
	return err
}

// down takes the lab down.
func down(ctx context.Context, l *drive.Lab) {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	if err := l.Show(ctx, "down"); err != nil {
		progress("%v", err)
	}
}

// progress prints a line of progress with the seconds since the start.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
}
