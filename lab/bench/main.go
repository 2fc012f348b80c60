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
)

// started is when this program started, for progress.
var started = time.Now()

// options are the flags.
type options struct {
	lab      string
	name     string
	services int
	prefixes int
	runs     int
	steps    []string
	keep     bool
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.lab, "lab", "", "the lab program (default: build/lab, here or one directory up)")
	f.StringVar(&o.name, "name", "bench", "name of the lab to run in")
	f.IntVar(&o.services, "services", 5000, "number of Services")
	f.IntVar(&o.prefixes, "prefixes", 10000, "number of Services that are announced by BGP")
	f.IntVar(&o.runs, "runs", 3, "how often to repeat what can be repeated")
	steps := f.String("steps", strings.Join(stepNames(), ","), "what to measure, in this order")
	f.BoolVar(&o.keep, "keep", false, "leave the lab running")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if min(o.services, o.prefixes) < 1 || max(o.services, o.prefixes) > maxServices || o.runs < 1 {
		return o, fmt.Errorf("want 1 to %d services and prefixes, and at least 1 run", maxServices)
	}
	o.steps = strings.Split(*steps, ",")
	for _, name := range o.steps {
		if !slices.Contains(stepNames(), name) {
			return o, fmt.Errorf("step %q: want some of %s", name, strings.Join(stepNames(), ", "))
		}
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program: it starts a lab, measures, prints the table, and takes
// the lab down again.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	l, err := newLab(o.lab, o.name)
	if err != nil {
		return err
	}
	if err := l.up(ctx); err != nil {
		return err
	}
	if !o.keep {
		defer l.down(context.WithoutCancel(ctx))
	}
	b, err := newBench(ctx, l, o)
	if err != nil {
		return err
	}
	defer b.close()
	err = b.measure(ctx)
	// What was measured before something went wrong is worth reading too.
	if e := b.table.print(os.Stdout); err == nil {
		err = e
	}
	return err
}

// progress prints a line of progress with the seconds since the start.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
}
