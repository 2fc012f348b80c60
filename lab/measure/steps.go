package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Step is one part of what a program measures, with what it has in R.
type Step[R any] struct {
	Name string
	Run  func(R, context.Context) error
}

// Names returns the names of steps.
func Names[R any](steps []Step[R]) []string {
	out := make([]string, len(steps))
	for i, s := range steps {
		out[i] = s.Name
	}
	return out
}

// Chosen returns those of all steps that o asks for, in the order of all.
func Chosen[R any](all []Step[R], o Options) []Step[R] {
	return slices.DeleteFunc(slices.Clone(all), func(s Step[R]) bool { return !slices.Contains(o.steps.chosen, s.Name) })
}

// choice is the value of the flag that chooses steps.
type choice struct{ all, chosen []string }

// String implements flag.Value.
func (c *choice) String() string { return strings.Join(c.chosen, ",") }

// Set implements flag.Value.
func (c *choice) Set(s string) error {
	chosen := strings.Split(s, ",")
	for _, name := range chosen {
		if !slices.Contains(c.all, name) {
			return fmt.Errorf("no step %q: want some of %s", name, strings.Join(c.all, ","))
		}
	}
	c.chosen = chosen
	return nil
}
