package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/measure"
)

// options are the flags.
type options struct {
	measure.Options
	services int
	prefixes int
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.Flags(f, "bench", 3, measure.Names(steps()))
	f.IntVar(&o.services, "services", 5000, "number of Services")
	f.IntVar(&o.prefixes, "prefixes", 10000, "number of Services that are announced by BGP")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if min(o.services, o.prefixes) < 1 || max(o.services, o.prefixes) > maxServices {
		return o, fmt.Errorf("services %d, prefixes %d: want 1 to %d", o.services, o.prefixes, maxServices)
	}
	return o, o.Validate()
}

func main() { measure.Main("bench", run) }

// run is the program: it starts a lab, measures, prints the table, and takes
// the lab down again.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	return o.InLab(ctx, []string{"--nodes", "3", "--routers", "frr,bird"}, func(l *drive.Lab) error {
		b, err := newBench(ctx, l, o)
		if err != nil {
			return err
		}
		defer b.close()
		return measure.Tell(&b.table.Table, func() error { return b.measure(ctx) })
	})
}
