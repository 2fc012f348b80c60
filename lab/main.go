package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldlb/herald/lab/state"
)

// started is when this program started, for progress.
var started = time.Now()

// environment is what every verb works with: the flags that all have, read
// once the verb runs.
type environment struct{ flags *globalFlags }

// globalFlags are the flags that every verb has.
type globalFlags struct {
	name string
	json bool
}

// Name returns the name of the lab that the verb is about.
func (e environment) Name() string { return e.flags.name }

// JSON reports whether the verb is to print one JSON document.
func (e environment) JSON() bool { return e.flags.json }

// Lab reads the lab without locking it.
func (e environment) Lab() (*state.Lab, error) { return state.System.Load(e.Name()) }

// Open locks the lab, which need not exist. The caller closes the Store.
func (e environment) Open(ctx context.Context) (*state.Store, error) {
	return state.System.Open(ctx, e.Name(), func() { progress("waiting for another command on lab %s", e.Name()) })
}

// change locks the lab, which exists, for f.
func (e environment) change(ctx context.Context, f func(*state.Store) error) error {
	if _, err := e.Lab(); err != nil {
		return err
	}
	s, err := e.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Lab() == nil { // it went meanwhile
		return fmt.Errorf("lab %q: %w", e.Name(), state.ErrNotFound)
	}
	return f(s)
}

// print prints v as JSON, or text for people.
func (e environment) print(w io.Writer, v any, text string) error {
	if !e.JSON() {
		_, err := io.WriteString(w, text)
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// progress prints a line of progress with the seconds since the start.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
}

// repository returns the repository's root: the directory above the working
// directory, or above this program, that has its go.mod.
func repository() (string, error) {
	var from []string
	if dir, err := os.Getwd(); err == nil {
		from = append(from, dir)
	}
	if self, err := os.Executable(); err == nil {
		from = append(from, filepath.Dir(self))
	}
	for _, dir := range from {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			data, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
			if strings.HasPrefix(string(data), "module github.com/heraldlb/herald\n") {
				return dir, nil
			}
		}
	}
	return "", errors.New("repository: no go.mod of github.com/heraldlb/herald above the working directory or this program")
}

// newRoot returns the command `lab` with all its verbs.
func newRoot() *cobra.Command {
	e := environment{flags: &globalFlags{}}
	root := &cobra.Command{
		Use:           "lab",
		Short:         "A Kubernetes cluster in network namespaces, with clients, routers and faults",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&e.flags.name, "name", "lab", "name of the lab")
	root.PersistentFlags().BoolVar(&e.flags.json, "json", false, "print one JSON document")
	for _, verb := range verbs {
		root.AddCommand(verb(e))
	}
	return root
}

// verbs make the verbs of `lab`.
var verbs = []func(environment) *cobra.Command{
	upVerb, downVerb, joinVerb, leaveVerb,
	statusVerb, kubeconfigVerb, kubectlVerb,
	execVerb, cutVerb, healVerb, partitionVerb, killVerb, startVerb,
	probeVerb, arpingVerb, announceVerb, captureVerb, routesVerb, routerVerb, imagesVerb,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	// A command that a verb ran for the user has said itself what is wrong. One
	// that the lab ran for itself comes wrapped.
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // wrapped is something else here
		os.Exit(exitCode(exit))
	}
	fmt.Fprintln(os.Stderr, "lab:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	os.Exit(1)
}

// exitCode returns what a shell would: the code of a command, or 128 and the
// signal that ended it.
func exitCode(err *exec.ExitError) int {
	if st, ok := err.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		return 128 + int(st.Signal())
	}
	return err.ExitCode()
}
