package docs_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/controller/assign"
	"github.com/heraldlb/herald/speaker/desired"
)

// pages returns the names of everything that is written for people.
func pages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("pages: %v, %v", names, err)
	}
	return append(names, filepath.Join("..", "README.md"))
}

// lines returns the lines of a page.
func lines(t *testing.T, page string) []string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

// table returns the rows below the one table of a page that has this header,
// as trimmed cells.
func table(t *testing.T, page string, header ...string) [][]string {
	t.Helper()
	var rows [][]string
	found := 0
	inside := false
	for _, line := range lines(t, page) {
		row := cells(line)
		switch {
		case slices.Equal(row, header):
			found++
			inside = true
		case row == nil:
			inside = false
		case inside && !strings.HasPrefix(row[0], "---"):
			rows = append(rows, row)
		}
	}
	if found != 1 {
		t.Fatalf("%s: %d tables with the header %q, want 1", page, found, header)
	}
	return rows
}

// cells splits a row of a table; nil for any other line.
func cells(line string) []string {
	inner, ok := strings.CutPrefix(line, "|")
	if !ok {
		return nil
	}
	row := strings.Split(strings.TrimSuffix(inner, "|"), "|")
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row
}

// words returns the words of an enumeration in its order: those from 1 on that
// are not the word of zero.
func words[R interface {
	~int
	fmt.Stringer
}]() []string {
	var all []string
	for r := R(1); r.String() != R(0).String(); r++ {
		all = append(all, r.String())
	}
	return all
}

// wordsBut returns the words of an enumeration in its order, without some.
func wordsBut[R interface {
	~int
	fmt.Stringer
}](but ...R) []string {
	return slices.DeleteFunc(words[R](), func(word string) bool {
		return slices.ContainsFunc(but, func(r R) bool { return r.String() == word })
	})
}

// Every reason has a row in the page that explains it, in the same order, and
// no row explains a word that is none.
func TestReasons(t *testing.T) {
	tests := []struct {
		page   string
		header []string
		want   []string
	}{
		{"addresses.md", []string{"reason", "means", "cure"}, words[assign.Reason]()},
		{"addresses.md", []string{"reason", "accepted", "means"}, words[config.Reason]()},
		{"layer2.md", []string{"reason", "means"}, wordsBut(desired.NoPeer)},
		{
			"bgp.md", []string{"reason", "means", "cure"},
			wordsBut(desired.SpeakerNotAlive, desired.NoInterface, desired.NotElected),
		},
	}
	for _, tt := range tests {
		var got []string
		for _, row := range table(t, tt.page, tt.header...) {
			got = append(got, row[0])
			for i, cell := range row[1:] {
				if cell == "" && row[0] != assign.Assigned.String() {
					t.Errorf("%s: %s: nothing under %q", tt.page, row[0], tt.header[i+1])
				}
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: table of reasons (-want +got)\n%s", tt.page, d)
		}
	}
}

// Every error of a session that the page explains is one that the speaker tells,
// in the same words.
func TestLastErrors(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir("../speaker/bgp", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		sources.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table(t, "bgp.md", "lastError has", "means", "cure") {
		if !strings.Contains(sources.String(), row[0]) {
			t.Errorf("bgp.md: no session tells %q", row[0])
		}
	}
}

// Every cause for which a node announces an address stands in the page that
// explains it.
func TestCauses(t *testing.T) {
	text := strings.Join(lines(t, "layer2.md"), "\n")
	for _, word := range words[desired.Cause]() {
		if !strings.Contains(text, "`"+word+"` (") {
			t.Errorf("layer2.md: cause %s is not explained", word)
		}
	}
}

// link finds the targets of links, those of pictures included.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// A link to a file of the repository leads somewhere.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(strings.Join(lines(t, page), "\n"), -1) {
			u, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", page, found[1], err)
				continue
			}
			if u.Scheme != "" || u.Path == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), u.Path)); err != nil {
				t.Errorf("%s: link %q: %v", page, found[1], err)
			}
		}
	}
}
