package measure_test

import (
	"context"
	"flag"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/measure"
)

// Steps run in the order of the program, and one that it does not have is
// refused before anything is measured.
func TestSteps(t *testing.T) {
	var all []measure.Step[*[]string]
	for _, name := range []string{"first", "second", "third"} {
		all = append(all, measure.Step[*[]string]{Name: name, Run: func(ran *[]string, _ context.Context) error {
			*ran = append(*ran, name)
			return nil
		}})
	}
	tests := []struct {
		name string
		args []string
		want []string
		err  string // "" means none
	}{
		{name: "all", want: []string{"first", "second", "third"}},
		{name: "some, in another order", args: []string{"-steps", "third,first"}, want: []string{"first", "third"}},
		{name: "unknown", args: []string{"-steps", "first,forth"}, err: `invalid value "first,forth" for flag -steps: no step "forth": want some of first,second,third`},
		{name: "never", args: []string{"-runs", "0"}, err: "runs 0: want at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o measure.Options
			f := flag.NewFlagSet("test", flag.ContinueOnError)
			f.SetOutput(io.Discard)
			o.Flags(f, "test", 3, measure.Names(all))
			err := f.Parse(tt.args)
			if err == nil {
				err = o.Validate()
			}
			if diff := cmp.Diff(tt.err, text(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			var ran []string
			for _, s := range measure.Chosen(all, o) {
				if err := s.Run(&ran, t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, ran); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// text is what err says; "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
