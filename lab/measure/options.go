package measure

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/heraldlb/herald/lab/drive"
)

// downTime bounds how long taking a lab down may take.
const downTime = 5 * time.Minute

// Options are the flags that all programs have.
type Options struct {
	// Runs is how often each measurement is repeated.
	Runs int

	root, name string
	steps      choice
	keep       bool
}

// Flags adds the flags to those of a program, with the name of its lab and the
// names of its steps.
func (o *Options) Flags(f *flag.FlagSet, name string, runs int, steps []string) {
	o.steps = choice{all: steps, chosen: steps}
	f.StringVar(&o.root, "root", ".", "the repository, with the lab program in its build directory")
	f.StringVar(&o.name, "name", name, "name of the lab to run in")
	f.IntVar(&o.Runs, "runs", runs, "how often to repeat each measurement")
	f.Var(&o.steps, "steps", "what to measure")
	f.BoolVar(&o.keep, "keep", false, "leave the lab running, and use one that runs")
}

// Validate says what is wrong with o, or nil.
func (o *Options) Validate() error {
	if o.Runs < 1 {
		return fmt.Errorf("runs %d: want at least 1", o.Runs)
	}
	return nil
}

// InLab starts a lab by `lab up` with args, has do measure in it, and takes it
// down again.
func (o *Options) InLab(ctx context.Context, args []string, do func(*drive.Lab) error) error {
	l, err := drive.New(o.root, o.name)
	if err != nil {
		return err
	}
	if !o.keep {
		defer down(context.WithoutCancel(ctx), l)
	}
	if err := l.Show(ctx, "up", args...); err != nil {
		return err
	}
	return do(l)
}

// down takes a lab down.
func down(ctx context.Context, l *drive.Lab) {
	ctx, cancel := context.WithTimeout(ctx, downTime)
	defer cancel()
	if err := l.Show(ctx, "down"); err != nil {
		Progress("%v", err)
	}
}
