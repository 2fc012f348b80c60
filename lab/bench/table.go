package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// A row is one figure of the table.
type row struct {
	what    string
	unit    string
	samples []float64
	// most is what the median is wanted to be at most; negative means that
	// nothing is wanted.
	most float64
}

// nothing is a row's most when nothing is wanted of it.
const nothing = -1

// A table is all that was measured, in the order in which it is told.
type table struct {
	title string
	rows  []row
}

// add adds a figure, and prints it as progress.
func (t *table) add(what, unit string, most float64, samples ...float64) {
	r := row{what, unit, samples, most}
	t.rows = append(t.rows, r)
	if len(samples) > 0 {
		progress("%s: %s %s", what, number(median(samples)), unit)
	}
}

// section begins a part of the table.
func (t *table) section(title string) { t.rows = append(t.rows, row{what: title, most: nothing}) }

// print writes the table.
func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%s\n", t.title)
	fmt.Fprintln(tw, "\tn\tmedian\tmin\tmax\tunit\twanted\t\t")
	for _, r := range t.rows {
		if len(r.samples) == 0 {
			fmt.Fprintf(tw, "%s\t\t\t\t\t\t\t\t\n", pad(r.what))
			continue
		}
		wanted, verdict := r.verdict()
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", pad("  "+r.what), len(r.samples),
			number(median(r.samples)), number(slices.Min(r.samples)), number(slices.Max(r.samples)), r.unit, wanted, verdict)
	}
	return tw.Flush()
}

// whatWidth is the width of the first column, which is set to the left.
const whatWidth = 84

// pad fills a name up to the first column's width.
func pad(s string) string { return fmt.Sprintf("%-*s", whatWidth, s) }

// verdict tells what is wanted of a row, and whether its median is that.
func (r row) verdict() (wanted, verdict string) {
	switch {
	case r.most < 0:
		return "", ""
	case median(r.samples) <= r.most:
		return "<= " + number(r.most), "met"
	default:
		return "<= " + number(r.most), "MISSED"
	}
}

// median returns the middle of samples, of which there is at least one; of two
// in the middle, their mean.
func median(samples []float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return (s[m-1] + s[m]) / 2
}

// number writes a figure with as many digits as say something.
func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return strconv.FormatInt(int64(v), 10)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}
