package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/figures"
)

// started is when this program started, for progress.
var started = time.Now()

// Main runs a program until it ends or is told to end, and exits with 1 if it
// returns an error.
func Main(name string, program func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := program(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Tell measures, and prints the table. What was measured before something went
// wrong is worth reading too.
func Tell(t *figures.Table, measure func() error) error {
	err := measure()
	return errors.Join(err, t.Write(os.Stdout))
}

// Add adds a figure to a table, and tells its median as progress.
func Add(t *figures.Table, f figures.Figure) {
	t.Add(f)
	if n := len(f.Samples); n > 0 {
		Progress("  %s: median of %d: %s %s", f.Name, n, figures.Number(figures.Median(f.Samples)), f.Unit)
	}
}

// Progress prints a line of progress with the seconds since the start.
func Progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
}
