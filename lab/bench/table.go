package main

import (
	"github.com/heraldlb/herald/lab/figures"
	"github.com/heraldlb/herald/lab/measure"
)

// nothing is the most of a figure of which nothing is wanted.
const nothing = -1

// A table is all that was measured, in the order in which it is told.
type table struct{ figures.Table }

// add adds a figure, and prints it as progress. The median is wanted to be most
// at most.
func (t *table) add(what, unit string, most float64, samples ...float64) {
	f := figures.Figure{Name: what, Unit: unit, Samples: samples}
	if most != nothing {
		f.Most = figures.AtMost(most)
	}
	measure.Add(&t.Table, f)
}
