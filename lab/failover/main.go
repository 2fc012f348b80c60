package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/heraldlb/herald/lab/drive"
	"github.com/heraldlb/herald/lab/measure"
)

// options are the flags.
type options struct {
	measure.Options
	busy time.Duration
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("failover", flag.ContinueOnError)
	o.Flags(f, "failover", 7, measure.Names(steps()))
	f.DurationVar(&o.busy, "busy", 10*time.Minute, "how long to keep all processors busy, half of it at a low priority")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.busy < 0 {
		return o, fmt.Errorf("busy %v: want at least 0", o.busy)
	}
	return o, o.Validate()
}

func main() { measure.Main("failover", start) }

// start is the program: it starts a lab, measures, prints the table, and takes
// the lab down again.
func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	up := []string{"--nodes", "3", "--clients", "2", "--routers", "frr,bird", "--ip-family", "dual", "--second-network"}
	return o.InLab(ctx, up, func(l *drive.Lab) error {
		r, err := newRun(ctx, l, o)
		if err != nil {
			return err
		}
		return measure.Tell(&r.table, func() error { return r.measure(ctx) })
	})
}
