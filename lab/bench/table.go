package main

import (
	"io"

	"github.com/heraldlb/herald/lab/figures"
)

// nothing is the most of a figure of which nothing is wanted.
const nothing = -1

// A table is all that was measured, in the order in which it is told.
type table struct {
	title   string
	figures figures.Table
}

// add adds a figure, and prints it as progress. The median is wanted to be most
// at most.
func (t *table) add(what, unit string, most float64, samples ...float64) {
	f := figures.Figure{Name: what, Unit: unit, Samples: samples}
	if most != nothing {
		f.Most = figures.AtMost(most)
	}
	t.figures.Add(f)
	if len(samples) > 0 {
		progress("%s: %s %s", what, figures.Number(figures.Median(samples)), unit)
	}
}

// section begins a part of the table.
func (t *table) section(title string) { t.figures.Part(title) }

// print writes the table.
func (t *table) print(w io.Writer) error {
	t.figures.Title = t.title
	return t.figures.Write(w)
}
