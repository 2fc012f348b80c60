package main

import (
	"context"
	"errors"
	"slices"

	"github.com/heraldlb/herald/lab/measure"
)

// repair mends whatever a step that failed may have left broken, and sets up
// again what every step needs.
func (r *run) repair(ctx context.Context) error {
	measure.Progress("  repair")
	if _, err := r.Output(ctx, "start", "cp", "kube-apiserver"); err != nil {
		measure.Progress("  %v", err)
	}
	st, err := r.Status(ctx)
	if err != nil {
		return err
	}
	mends := []func(*run, context.Context, string) error{
		verb("heal"), link("up"), kubectl("uncordon", "%s"), kubectl("label", "node", "%s", excludeLabel+"-"),
	}
	r.nodes = slices.DeleteFunc(st.Nodes(), func(node string) bool { return node == newcomer })
	for _, node := range r.nodes {
		for _, mend := range mends {
			if err := mend(r, ctx, node); err != nil {
				measure.Progress("  %v", err)
			}
		}
	}
	if slices.Contains(st.Nodes(), newcomer) {
		if err := verb("leave")(r, ctx, newcomer); err != nil {
			measure.Progress("  %v", err)
		}
	}
	// What counts is whether everything works again.
	return errors.Join(r.deleteServices(ctx), r.setUp(ctx))
}
