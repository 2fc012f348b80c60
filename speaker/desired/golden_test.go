package desired_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/heraldlb/herald/speaker/desired"
)

var update = flag.Bool("update", false, "write what is computed into testdata")

// Every file is a story: a cluster (see script), what each node makes of it,
// then changes and what each makes of those. A section whose name starts with
// "outcome" is what is compared.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, ar)
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for i, f := range ar.Files {
				if diff := gocmp.Diff(string(f.Data), string(got.Files[i].Data)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
		})
	}
}

// play returns the archive with outcomes as they are computed.
func play(t *testing.T, ar *txtar.Archive) *txtar.Archive {
	t.Helper()
	got := &txtar.Archive{Comment: ar.Comment}
	s := script{}
	town := &town{computers: map[string]*desired.Computer{}}
	for _, f := range ar.Files {
		data := f.Data
		if strings.HasPrefix(f.Name, "outcome") {
			data = []byte(town.outcome(t, s.cluster(t)))
		} else {
			s.apply(t, string(f.Data))
		}
		got.Files = append(got.Files, txtar.File{Name: f.Name, Data: data})
	}
	return got
}

// A town is the speakers of a cluster, who hear each other at once.
type town struct {
	computers map[string]*desired.Computer
	claims    *desired.Claims
}

// settle has the speakers compute until they have no more claims to tell, and
// returns their States. Those of the dead are as if they had just started, and
// nobody hears them.
func (w *town) settle(t *testing.T, c cluster) map[string]desired.State {
	t.Helper()
	states := map[string]desired.State{}
	c = c.clone() // Inputs are frozen, the cluster goes on changing
	for round := 0; ; round++ {
		if round == 5 {
			t.Fatalf("after %d exchanges there are still claims\n%s", round, c.describe())
		}
		c.claims = w.claims
		for _, node := range c.speakers {
			if w.computers[node] == nil || !c.alive[node] && !c.leaving[node] {
				w.computers[node] = &desired.Computer{}
			}
			states[node] = computeTwice(t, w.computers[node], c.input(node))
			if c.alive[node] || c.leaving[node] {
				w.claims = w.claims.With(states[node].Claims...)
			}
		}
		if w.claims == c.claims {
			return states
		}
	}
}

// computeTwice returns what a Computer makes of an Input, and fails when one
// that remembers no more than it has to makes something else of it.
func computeTwice(t *testing.T, c *desired.Computer, in desired.Input) desired.State {
	t.Helper()
	fresh := c.Aside()
	want, got := fresh.Compute(in), c.Compute(in)
	if diff := gocmp.Diff(want, got, byValue); diff != "" {
		t.Fatalf("%s: remembered is not fresh (-fresh +remembered):\n%s", in.Node, diff)
	}
	if !c.Remembers(fresh) {
		t.Fatalf("%s: the memories are not the same\nfresh %+v\nremembered %+v", in.Node, fresh.Aside(), c.Aside())
	}
	return got
}

// outcome renders what every node makes of a cluster, and the claims.
func (w *town) outcome(t *testing.T, c cluster) string {
	t.Helper()
	var b strings.Builder
	states := w.settle(t, c)
	for _, node := range c.speakers {
		b.WriteString(node + "\n" + render(states[node]))
	}
	b.WriteString("claims\n")
	claims := slices.SortedFunc(w.claims.All(), func(a, b desired.Claim) int { return a.Address.Compare(b.Address) })
	for _, claim := range claims {
		weak := ""
		if claim.Weak {
			weak = ", weak"
		}
		fmt.Fprintf(&b, "  %v is %s's (%d%s)\n", claim.Address, claim.Node, claim.Epoch, weak)
	}
	return b.String()
}
