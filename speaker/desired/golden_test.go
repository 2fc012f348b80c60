package desired_test

import (
	"flag"
	"os"
	"path/filepath"
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
	computers := map[string]*desired.Computer{}
	for _, f := range ar.Files {
		data := f.Data
		if strings.HasPrefix(f.Name, "outcome") {
			data = []byte(outcome(t, s.cluster(t), computers))
		} else {
			s.apply(t, string(f.Data))
		}
		got.Files = append(got.Files, txtar.File{Name: f.Name, Data: data})
	}
	return got
}

// outcome renders what every node makes of a cluster.
func outcome(t *testing.T, c cluster, computers map[string]*desired.Computer) string {
	t.Helper()
	var b strings.Builder
	for _, node := range c.speakers {
		if computers[node] == nil {
			computers[node] = &desired.Computer{}
		}
		state := computers[node].Compute(c.input(node))
		if diff := gocmp.Diff(desired.Compute(c.input(node)), state, gocmp.Comparer(sameAddr)); diff != "" {
			t.Errorf("%s: remembered is not fresh (-fresh +remembered):\n%s", node, diff)
		}
		b.WriteString(node + "\n" + render(state))
	}
	return b.String()
}
