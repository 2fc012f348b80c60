package figures

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A Figure is one thing that was measured.
type Figure struct {
	Name string
	// Unit is the unit of the samples; empty for counts and ratios.
	Unit    string
	Samples []float64
	// Most is what the median may be at most; nil says that nothing is wanted.
	Most *float64
}

// AtMost returns a Figure's Most.
func AtMost(v float64) *float64 { return &v }

// A Table is figures in parts, in the order in which they are told. Its zero
// value is empty and ready to use.
type Table struct {
	// Title stands above it.
	Title string
	parts []part
}

// A part is figures below one headline, and what else is to be said of them.
type part struct {
	title   string
	figures []Figure
	notes   []string
}

// Part begins a part.
func (t *Table) Part(title string) { t.parts = append(t.parts, part{title: title}) }

// Add adds figures to the last part.
func (t *Table) Add(figures ...Figure) {
	last := t.last()
	last.figures = append(last.figures, figures...)
}

// Note adds a remark to the last part, such as why something is missing.
func (t *Table) Note(text string) {
	last := t.last()
	last.notes = append(last.notes, text)
}

// last returns the last part.
func (t *Table) last() *part {
	if len(t.parts) == 0 {
		t.Part("")
	}
	return &t.parts[len(t.parts)-1]
}

// Write writes the table as text.
func (t *Table) Write(w io.Writer) error {
	width := 0
	for _, p := range t.parts {
		for _, f := range p.figures {
			width = max(width, len(f.Name)+2)
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%s\n", t.Title)
	for _, p := range t.parts {
		fmt.Fprintf(tw, "\n%s\n%-*s\tn\tmedian\tmin\tmax\tunit\twanted\t\t\n", p.title, width, "")
		for _, f := range p.figures {
			fmt.Fprintf(tw, "%-*s\t%s\n", width, "  "+f.Name, f.columns())
		}
		for _, note := range p.notes {
			fmt.Fprintf(tw, "  %s\n", strings.ReplaceAll(note, "\n", "\n  "))
		}
	}
	return tw.Flush()
}

// columns returns all columns of f but its name.
func (f Figure) columns() string {
	wanted, verdict := "", ""
	if f.Most != nil {
		wanted = "<= " + Number(*f.Most)
	}
	if len(f.Samples) == 0 {
		return fmt.Sprintf("0\t\t\t\t%s\t%s\tnot measured\t", f.Unit, wanted)
	}
	if f.Most != nil {
		verdict = "met"
		if Median(f.Samples) > *f.Most {
			verdict = "MISSED"
		}
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s\t", len(f.Samples), Number(Median(f.Samples)),
		Number(slices.Min(f.Samples)), Number(slices.Max(f.Samples)), f.Unit, wanted, verdict)
}

// Median returns the middle of samples, or the mean of the two in the middle;
// of no samples it is NaN.
func Median(samples []float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	m := len(s) / 2
	switch {
	case len(s) == 0:
		return math.NaN()
	case len(s)%2 == 1:
		return s[m]
	default:
		return (s[m-1] + s[m]) / 2
	}
}

// Number writes a figure with as many digits as say something.
func Number(v float64) string {
	digits := 2
	switch a := math.Abs(v); {
	case v == math.Trunc(v) || a >= 100:
		digits = 0
	case a >= 10:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
